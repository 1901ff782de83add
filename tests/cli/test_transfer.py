"""`hundredfold transfer` and `hundredfold study transfer`: options, what is printed, what is refused."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import hundredfold.methods.catalogue as methods
from hundredfold.cli.study import command as study_command
from hundredfold.cli.study import transfer as study_transfer
from hundredfold.cli.transfer import command
from hundredfold.encoders.build import encoder
from hundredfold.encoders.folder import save_encoder
from hundredfold.evaluate.probe import Linear
from hundredfold.studies.generator import save_generator
from hundredfold.studies.hand_over import Classifier, save_classifier
from hundredfold.train import memory
from hundredfold.views.chain import Chain

QUICK = [
    "--labels=6",
    "--draws=1",
    "--use-anyway",  # neither of the artefacts has learnt anything
    "--encoder=convnet",
    "--set=encoder_settings={widths=[4], features=16}",
    "--set=transfer.pretrain_steps=2",
    "--set=transfer.pretrain_batch=8",
    "--set=transfer.steps=2",
    "--set=transfer.weights=[0.5]",
    "--set=transfer.temperatures=[1.0]",
]


@pytest.fixture(autouse=True)
def no_collecting(monkeypatch):
    """Training collects garbage before it measures memory: of a whole test session that takes longer than the rest."""
    monkeypatch.setattr(memory, "gc", SimpleNamespace(collect=lambda: 0))


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory):
    """A generator and a classifier of two classes."""
    run = tmp_path_factory.mktemp("source")
    start = encoder(
        "convnet", channels=1, size=(8, 8), mean=[0.4], std=[0.3], settings={"widths": [4], "features": 8}, seed=0
    )
    settings = {"classes": 2, "latent": 4}
    model = methods.build("conditional_vae", start, Chain(()), settings, seed=0)
    save_encoder(model.encoder, run / "encoder")
    save_generator(model, run / "generator", name="conditional_vae", settings=settings, classes=("a", "b"))
    head = Linear(weight=torch.eye(2, 8), bias=torch.zeros(2), unit_length=False)
    save_classifier(Classifier(encoder=start.eval(), head=head, classes=("a", "b")), run / "classifier")
    return [f"--source-classifier={run}", f"--generator={run}"]


def parsed(command, *arguments):
    return command.make_context("transfer", list(arguments)).params


def test_a_transfer(call, artefacts, toy_file, tmp_path):
    out = tmp_path / "run"
    said = call("transfer", *artefacts, "--target", toy_file, "--out", out, *QUICK)
    assert said.status == 0, said.err
    lines = said.out.splitlines()
    assert lines[0] == f"accuracy with 6 labels on {toy_file}, mean and 2 standard deviations"
    assert [line.split("  ")[1].strip() for line in lines[1:5]] == [
        "from scratch",
        "from scratch, longer",
        "PP",
        "PP + P-SSL",
    ]
    assert sum("<- handed over" in line for line in lines) == 1
    assert lines[-1].endswith(f"Report: {out}/report.html") and (out / "report.html").exists()
    assert "looking at the generator's images" in said.err and "4 of 4: PP + P-SSL, 6 labels, draw 1" in said.err
    predicted = call("predict", out, toy_file, "--to", tmp_path / "labels.csv")
    assert predicted.status == 0 and len((tmp_path / "labels.csv").read_text().splitlines()) == 91
    again = call("transfer", "--resume", "--out", out, "--json", "--quiet")
    assert json.loads(again.out)["chosen"] and again.err == ""


def test_a_study_with_lists(call, artefacts, toy_file, tmp_path):
    out = tmp_path / "run"
    options = ["--label-counts", "3", "6", "--arms", "scratch, pseudo_pretraining,", "--json", "--quiet"]
    said = call("study", "transfer", *artefacts, "--target", toy_file, *options, "--out", out, *QUICK)
    assert said.status == 0 and said.err == "", said.err
    found = json.loads(said.out)  # one object, and nothing else
    assert found["label_counts"] == [3, 6] and [arm["name"] for arm in found["arms"]] == [
        "scratch",
        "pseudo_pretraining",
    ]
    assert found["study"] == "transfer" and found["chosen"] == "" and not (out / "classifier").exists()
    assert call("report", out).out.strip() == f"{out}/report.html"


@pytest.mark.parametrize("name", [("transfer",), ("study", "transfer")], ids=" ".join)
def test_a_dry_run_says_what_would_be_done_and_writes_nothing(call, artefacts, toy_file, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    said = call(*name, *artefacts, "--target", toy_file, *QUICK, "--dry-run")
    assert said.status == 0, said.err
    arms = "from scratch, from scratch, longer, "
    assert said.out.startswith(f"arms: {arms}") and "6 labels, 1 draw: " in said.out and "steps of training" in said.out
    assert "dry run: nothing was written" in said.out
    told = call(*name, *artefacts, "--target", toy_file, *QUICK, "--dry-run", "--json")
    found = json.loads(told.out)
    assert found["label_counts"] == [6] and found["networks"] > len(found["arms"]) and list(tmp_path.iterdir()) == []


def test_a_dry_run_of_a_transfer_that_goes_on(call, artefacts, toy_file, tmp_path):
    out = tmp_path / "run"
    call("study", "transfer", *artefacts, "--target", toy_file, "--arms=scratch", *QUICK, "--out", out, "--quiet")
    said = call("study", "transfer", "--resume", "--out", out, "--dry-run", "--json")
    assert said.status == 0, said.err
    assert json.loads(said.out)["arms"] == ["from scratch"]


def test_options_in_both_spellings():
    spaces = parsed(study_transfer, "--label-counts", "20", "100", "--arms", "scratch", "--target", "digits")
    commas = parsed(study_transfer, "--label-counts=20,100", "--target=digits", "--arms=scratch")
    assert spaces == commas and spaces["label_counts"] == [20, 100]
    assert parsed(command)["resize"] is None and parsed(command, "--resize", "--use-anyway")["use_anyway"] is True


@pytest.mark.parametrize(
    "name, found", [(("transfer",), command), (("study", "transfer"), study_command.commands["transfer"])]
)
def test_help_ends_with_an_example_that_can_be_parsed(call, name, found):
    said = call(*name, "--help")
    example = " ".join(said.out.rstrip().split("\n\n")[-1].split()).removeprefix("Example: ").split()
    assert said.status == 0 and tuple(example[1 : 1 + len(name)]) == name and example[0] == "hundredfold"
    assert found.make_context(name[-1], example[1 + len(name) :]).args == []


WRONG = [
    ([], "no source classifier was given"),
    (["--source-classifier=nowhere", "--generator=nowhere", "TARGET"], "there is no folder nowhere"),
    (["ARTEFACTS"], "no target was given"),
    (["ARTEFACTS", "--target=nowhere"], "nowhere"),
    (["ARTEFACTS", "--set=transfer.stepz=3"], "did you mean 'transfer.steps'"),
    (["ARTEFACTS", "TARGET", "--source-test=digits"], "--source-test needs --source-data"),
    (["ARTEFACTS", "TARGET", "--resume"], "--resume needs --out"),
    (["ARTEFACTS", "TARGET", "--labels=2"], "fewer labels than classes"),
    (["ARTEFACTS", "TARGET"], "should not be learnt from"),
    (["--target"], "requires an argument"),
    (["digits"], "unexpected extra argument"),
]


@pytest.mark.parametrize("name", [("transfer",), ("study", "transfer")], ids=" ".join)
@pytest.mark.parametrize(
    "arguments, words", WRONG, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_what_the_user_can_mend_is_told_with_status_2(
    call, artefacts, toy_file, tmp_path, monkeypatch, name, arguments, words
):
    monkeypatch.chdir(tmp_path)
    given = []
    for argument in arguments:
        given += {"ARTEFACTS": artefacts, "TARGET": [f"--target={toy_file}"]}.get(argument, [argument])
    said = call(*name, *given)
    assert said.status == 2 and words in said.err, said.err
    assert "Traceback" not in said.err and said.out == ""
    assert not list(tmp_path.rglob("*.safetensors")) and not list(tmp_path.rglob("asked.toml"))


def test_arms_that_do_not_exist(call, artefacts, toy_file):
    said = call("study", "transfer", *artefacts, "--target", toy_file, "--arms=scrach,scratch")
    assert said.status == 2 and "did you mean 'scratch'" in said.err


def test_forms_that_differ_and_resize(call, artefacts, tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "larger.npz"
    np.savez(path, images=rng.integers(0, 256, (60, 10, 10)).astype(np.uint8), labels=np.arange(60) % 3)
    refused = call("transfer", *artefacts, "--target", path, *QUICK, "--dry-run")
    assert refused.status == 2 and "--resize brings" in refused.err
    assert call("transfer", *artefacts, "--target", path, *QUICK, "--dry-run", "--resize").status == 0
