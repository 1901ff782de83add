"""One set of names for options, keywords and the settings file."""

import dataclasses
import inspect
from pathlib import Path

import click
import pytest

import hundredfold
from hundredfold.cli import cli
from hundredfold.errors import SettingsError
from hundredfold.studies.run_settings import MODELS, SHORT, RunSettings, gather, tables

FIELDS = {field.name for field in dataclasses.fields(RunSettings)}
FOLDER = {"out", "config", "overrides", "resume", "overwrite"}
TALK = {"as_json", "quiet", "debug", "dry_run"}
POSITIONAL = {"run": {"source"}, "pretrain": {"source"}, "evaluate": {"run", "source"}}


def options(name):
    command = cli.get_command(click.Context(cli), name)
    return {parameter.name: parameter for parameter in command.params}


@pytest.mark.parametrize("name", ["run", "pretrain", "evaluate"])
def test_every_option_is_a_keyword_and_a_setting(name):
    given = options(name)
    assert POSITIONAL[name] == {key for key, parameter in given.items() if isinstance(parameter, click.Argument)}
    assert set(given) - POSITIONAL[name] - FOLDER - TALK <= FIELDS | SHORT.keys()
    assert set(given) >= FOLDER | TALK
    keywords = inspect.signature(getattr(hundredfold, name)).parameters
    assert set(keywords) >= FOLDER and keywords["settings"].kind is inspect.Parameter.VAR_KEYWORD


def test_the_options_of_the_contract_are_there():
    contract = (
        "--method --encoder --labels --draws --epochs --batch-size --lr --seed --out --config --set --precision "
        "--accelerator --devices --resume --init-from --overwrite --dry-run --json --quiet --debug --labelled --test"
    )
    flags = {flag for parameter in options("run").values() for flag in parameter.opts}
    assert set(contract.split()) <= flags


def test_short_names_stand_for_settings_that_exist():
    for short, full in SHORT.items():
        table, name = full.split(".")
        assert short == name and hasattr(getattr(RunSettings(), table), name)


def test_the_default_is_fine_and_documented():
    assert RunSettings().problems() == []
    assert all(f"        {name}: " in RunSettings.__doc__ for name in FIELDS)
    assert set(RunSettings().models) == set(MODELS)


@pytest.mark.parametrize(
    "change",
    [
        {"labels": -1},
        {"draws": 0},
        {"devices": 0},
        {"image_size": -1},
        {"label_counts": [0]},
        {"models": []},
        {"models": ["linear_prob"]},
        {"accelerator": "gpu"},
        {"precision": "half"},
        {"method": "simcrl"},
        {"encoder": "convet"},
        {"method_settings": {"temprature": 1}},
        {"encoder": "convnet", "encoder_settings": {"widhts": [1]}},
        {"encoder": "convnet", "encoder_settings": {"widths": []}},
        {"plan": {"lr": 0}},
        {"views": {"flip": 2}},
        {"finetune": {"steps": 0}},
    ],
    ids=str,
)
def test_each_value_that_cannot_be_used_is_told_by_name(change):
    with pytest.raises(SettingsError) as refused:
        gather(None, [], change)
    (problem,) = refused.value.problems
    name = next(name for name in change if name != "encoder") if len(change) > 1 else next(iter(change))
    words = problem.replace("_", " ").lower()
    assert name.replace("_", " ").removesuffix("s") in words


def test_variance_reduction_is_for_methods_that_compare_two_views():
    for method in ("rotation", "vae", "masked_patch"):
        with pytest.raises(SettingsError) as refused:
            gather(None, [], {"method": method, "variance_reduction": 1.0})
        (problem,) = refused.value.problems
        assert problem == f"variance_reduction is for methods that compare two views, {method} does not"
    assert gather(None, [], {"method": "simclr", "variance_reduction": 1.0})
    assert gather(None, [], {"method": "vae", "variance_reduction": 0.0})


def test_settings_of_an_encoder_that_is_not_known_yet_are_left_for_later():
    assert gather(None, [], {"encoder": "hf:vit", "encoder_settings": {"anything": 1}})
    assert gather(None, [], {"encoder_settings": {"widths": [4]}})


def test_file_then_set_then_keywords(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text("labels = 1\nseed = 1\ndraws = 1\n[plan]\nepochs = 1\nlr = 0.1\n")
    given = gather(path, ["seed=2", "draws=2", "plan.lr=0.2"], {"draws": 3, "batch_size": 8, "epochs": None})
    assert given == {"labels": 1, "seed": 2, "draws": 3, "plan": {"epochs": 1, "lr": 0.2, "batch_size": 8}}


def test_everything_wrong_with_all_three_is_told_at_once(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text("labls = 1\nepochs = 3\n[plan]\nlr = -1\n")
    with pytest.raises(SettingsError) as refused:
        gather(path, ["draws=0", "nothing"], {"metod": "x", "seed": "abc"})
    text = "\n".join(refused.value.problems)
    assert len(refused.value.problems) == 7
    for part in (
        "'labls': did you mean 'labels'",
        "'epochs': did you mean 'plan.epochs'",
        "plan.lr must be",
        "draws must be",
        "got 'nothing'",
        "'metod': did you mean 'method'",
        "seed: input should be a valid integer",
    ):
        assert part in text


def test_a_path_is_its_text():
    assert tables({"test": Path("a/b"), "lr": 0.5, "seed": None}) == {"test": "a/b", "plan": {"lr": 0.5}}
