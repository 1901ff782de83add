"""What README and docs/ say works: commands are run or parsed, code is run, links lead somewhere."""

import functools
import math
import re
import shlex
import sys
import tomllib
import types
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

import hundredfold
import hundredfold.methods.catalogue as catalogue
from hundredfold.cli import cli, main
from hundredfold.evaluate.learner import MODELS
from hundredfold.losses.nt_xent import nt_xent_chance, nt_xent_floor
from hundredfold.studies.run_settings import gather
from hundredfold.studies.transfer_request import gathered

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/**/*.md"))]
PAGES = [page for page in PAGES if "reference" not in page.parts]
QUICK = (
    "--labels=30",
    "--epochs=1",
    "--draws=1",
    "--set=label_counts=[30]",
    '--set=models=["linear_probe"]',
    "--quiet",
)


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(text: str, language: str = "sh") -> list[str]:
    lines = "".join(blocks(text, language)).splitlines()
    return [" ".join(shlex.split(line, comments=True)) for line in lines if line.strip()]


def mentioned(text: str) -> set[str]:
    """Every `hundredfold ...` in the text, in a line of its own or between back-ticks."""
    inline = re.findall(r"`(hundredfold [^`]+)`", text)
    indented = re.findall(r"^    (hundredfold .+)$", text, re.MULTILINE)
    return {*inline, *indented, *(line for line in commands(text) if line.startswith("hundredfold "))}


@pytest.fixture
def at_home(tmp_path, monkeypatch):
    """A folder with the images that the README speaks of."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    counts = {"clothes/bag": 30, "clothes/coat": 30, "clothes/unlabelled": 20, "new": 5, "photos": 40}
    counts |= {"tools/hammer": 20, "tools/saw": 20}
    for folder, count in counts.items():
        Path(folder).mkdir(parents=True)
        for number in range(count):
            shape = np.zeros((12, 12), np.uint8)
            shape[3:9, 3:9] = rng.integers(100, 255)
            shape[:3, 5:7] = 200 if folder.endswith("bag") else 0
            Image.fromarray(shape).save(f"{folder}/{number}.png")
    return tmp_path


def test_the_commands_of_the_main_job_run(at_home, capsys):
    ours = [shlex.split(line)[1:] for line in commands(README) if line.startswith("hundredfold ")]
    assert [arguments[0] for arguments in ours] == [
        *("check-data", "run", "predict", "pretrain", "suggest"),
        *("pretrain", "generate", "anomalies", "map"),
        *("pretrain", "transfer"),
    ]
    few = ("--set=transfer.pretrain_steps=2", "--set=transfer.steps=2", "--draws=1", "--quiet")
    quick = {
        "run": QUICK,
        "pretrain": ("--epochs=1", "--quiet"),
        "transfer": ("--use-anyway", *few),  # a generator that learnt for one epoch is judged as it should be
    }
    for arguments in ours:
        with pytest.raises(SystemExit) as left:
            main([*arguments, *quick.get(arguments[0], ())])
        assert left.value.code == 0, capsys.readouterr().err
    assert (at_home / "clothes-run" / "report.html").is_file()
    assert len((at_home / "labels.csv").read_text().splitlines()) == 1 + 5
    assert len((at_home / "to_label.csv").read_text().splitlines()) == 1 + 20


def test_the_python_runs(at_home, monkeypatch):
    code, _ = blocks(README, "python")
    quick = functools.partial(hundredfold.run, epochs=1, draws=1, models=["linear_probe"])
    monkeypatch.setattr(hundredfold, "run", quick, raising=False)
    names: dict = {}
    exec(code.replace("labels=100", "labels=30"), names)
    assert 0 <= names["run"].summary["linear_probe"]["30"].mean <= 1
    assert names["found"].labels[0] in ("bag", "coat")
    assert hundredfold.load_encoder("clothes-run").features > 0


def test_the_python_of_scikit_learn_runs(monkeypatch):
    _, code = blocks(README, "python")
    transformer = hundredfold.SelfSupervisedTransformer(epochs=1)
    quick = functools.partial(hundredfold.FewLabelClassifier, transformer, model="linear_probe", random_state=0)
    monkeypatch.setattr(hundredfold, "FewLabelClassifier", quick, raising=False)
    images, digits = load_digits(return_X_y=True)
    names = {"X": images[:200], "y": np.where(np.arange(200) < 100, digits[:200], -1), "X_new": images[200:230]}
    exec(code, names)
    assert (names["model"].predict(images[200:230]) == digits[200:230]).mean() > 0.5


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_mentioned_is_one_that_the_command_line_takes(page):
    for line in mentioned(page.read_text()):
        name, *arguments = shlex.split(line)[1:]
        context = click.Context(cli)
        command = cli.get_command(context, name)
        assert command is not None, line
        command.make_context(name, arguments, parent=context)


def test_every_example_in_the_help_is_one_that_the_command_line_takes():
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command.epilog.startswith(f"Example: hundredfold {name} "), name
        example = shlex.split(command.epilog)[3:]
        if isinstance(command, click.Group):
            name, *example = example
            command = command.commands[name]
        command.make_context(name, example, parent=context)


def test_the_table_of_methods_names_them_all():
    (table,) = re.findall(r"<!-- methods:begin -->(.*?)<!-- methods:end -->", README, re.DOTALL)
    named = set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE))
    assert named == {method.name for method in hundredfold.methods.names() if not method.learns_from_labels}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_setting_mentioned_exists(page):
    for code in re.findall(r"`(--set [^`]+)`", page.read_text()):
        words = [word for word in shlex.split(code) if word != "--set"]
        if any(word.startswith("transfer.") for word in words):
            gathered(None, words, {"source_classifier": "one", "generator": "other"}, {})
        else:
            gather(None, words, {})


def test_every_verb_of_make_exists():
    verbs = {line.split()[1] for page in PAGES for line in commands(page.read_text()) if line.startswith("make ")}
    assert {"demo", "test", "check"} <= verbs
    makefile = (ROOT / "Makefile").read_text()
    for verb in verbs:
        assert re.search(rf"^{verb}:", makefile, re.MULTILINE), verb


def test_every_extra_mentioned_exists():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for page in PAGES:
        for name in re.findall(r"(?:hundredfold|'\.)\[(\w+)\]", page.read_text()):
            assert name in extras, f"{page.name}: [{name}]"


def test_the_table_of_commands_is_complete():
    assert set(re.findall(r"^\| `hundredfold ([\w-]+)", README, re.MULTILINE)) == set(
        cli.list_commands(click.Context(cli))
    )


def test_the_table_of_results_names_models():
    (table,) = re.findall(r"<!-- mnist:begin -->(.*?)<!-- mnist:end -->", README, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", table)) == set(MODELS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        assert "://" in target or (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_levels_of_the_loss_are_those_of_the_formulas():
    text = " ".join((ROOT / "docs" / "read-a-report.md").read_text().split())
    assert f"(n = 256: {nt_xent_chance(256):.2f})" in text
    assert f"(n = 256, t = 0.5: about {nt_xent_floor(256, 0.5):.2f})" in text
    assert math.isclose(nt_xent_chance(256), math.log(2 * 256 - 1))


def test_the_method_of_the_page_on_methods_is_found_passes_its_test_and_trains(tmp_path, monkeypatch):
    """The two blocks of docs/add-a-method.md: the file, and its test."""
    method, test = blocks((ROOT / "docs" / "add-a-method.md").read_text(), "python")
    module = types.ModuleType("hundredfold.methods.contrastive.align_uniform")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(method, vars(module))
    names: dict = {}
    exec(test, names)
    tests = [thing for name, thing in names.items() if name.startswith("test_")]
    assert len(tests) == 3
    for one in tests:
        one()

    known = {**catalogue._modules(), "align_uniform": module}
    monkeypatch.setattr(catalogue, "_modules", lambda: known)
    described = next(found for found in catalogue.names() if found.name == "align_uniform")
    assert described.summary.startswith("Alignment and uniformity: ")
    assert "ICML 2020" in described.paper
    result = hundredfold.pretrain("digits", method="align_uniform", epochs=4, out=tmp_path / "align")
    losses = [epoch.loss for epoch in result.training.epochs]
    assert result.training.floor < losses[-1] < losses[0] - 0.5 < result.training.chance
    assert set(result.training.epochs[-1].logs) == {"alignment", "uniformity"}
    assert result.similarity.positive_mean > result.similarity.negative_mean
