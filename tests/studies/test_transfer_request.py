"""What somebody asked of a transfer: who wins, what is refused, and that a folder keeps it."""

import dataclasses
import tomllib
from pathlib import Path

import pytest

from hundredfold.errors import SettingsError
from hundredfold.settings import toml_text
from hundredfold.studies.transfer_request import TransferRequest, gathered
from hundredfold.transfer.settings import TransferSettings

SOURCE = {"source_classifier": "one", "generator": "two"}


def asked(config=None, overrides=(), before=None, **keywords):
    return gathered(config, overrides, {**SOURCE, **keywords}, before or {})


@pytest.fixture
def file(tmp_path):
    """file("[transfer]..."): a settings file."""

    def written(text):
        path = tmp_path / "settings.toml"
        path.write_text(text)
        return path

    return written


def test_nothing_but_the_artefacts_is_needed():
    found = asked()
    assert found == TransferRequest(source_classifier="one", generator="two")
    assert found.settings == TransferSettings() and found.arms == () and found.common == {}


def test_options_win_over_set_and_set_over_the_file(file):
    config = file(
        """
        labels = 5
        draws = 2
        [plan]
        weight_decay = 0.5
        batch_size = 8
        [transfer]
        steps = 7
        batch = 9
        generator = "from the file"
        resize = true
        [transfer.uda]
        threshold = 0.5
        temperature = 0.4
        """
    )
    found = asked(
        config,
        ("transfer.batch=11", "transfer.uda.threshold=0.7", "draws=3", "plan.batch_size=16"),
        labels=6,
        generator="from the call",
        plan={"warmup": 0.1},
    )
    assert (found.settings.steps, found.settings.batch) == (7, 11)
    assert (found.settings.uda.threshold, found.settings.uda.temperature) == (0.7, 0.4)
    assert found.generator == "from the call" and found.resize is True
    assert found.common == {
        "labels": 6,
        "draws": 3,
        "plan": {"weight_decay": 0.5, "batch_size": 16, "warmup": 0.1},
    }


def test_what_is_not_given_is_left_to_who_is_weaker(file):
    config = file('seed = 4\n[transfer]\nsource_data = "photos"\n')
    found = asked(config, generator="g", source_data=None, seed=None, resize=None, arms=None, labels=None)
    assert found.source_data == "photos" and found.common == {"seed": 4} and found.resize is False
    assert found.arms == ()


def test_settings_of_the_transfer_in_a_call():
    found = asked(None, ("transfer.steps=3",), transfer={"steps": 5, "uda": {"threshold": 0.3}})
    assert found.settings.steps == 5 and found.settings.uda.threshold == 0.3


def test_a_path_and_a_list_are_kept_as_a_file_keeps_them():
    found = gathered(
        None, (), {"source_classifier": Path("a"), "generator": Path("b"), "test": Path("t"), "arms": ["scratch"]}, {}
    )
    assert (found.source_classifier, found.generator, found.arms) == ("a", "b", ("scratch",))
    assert found.common == {"test": "t"}
    assert tomllib.loads(toml_text(found.table()))["transfer"]["generator"] == "b"


def test_a_folder_keeps_all_of_it():
    found = asked(
        None,
        ("transfer.weights=[0.0, 0.3]", "transfer.sampling.class_prior=[1, 2]", "transfer.cascade.condition=hard"),
        arms=("scratch", "pseudo_both"),
        label_counts=[4, 8],
        source_data="photos",
        source_test="more",
        resize=True,
        use_anyway=True,
        encoder_settings={"widths": (4, 8)},
        lr=0.5,
    )
    kept = tomllib.loads(toml_text(found.table()))
    again = gathered(None, (), {}, kept)
    for field in dataclasses.fields(TransferRequest):
        if field.name != "common":
            assert getattr(again, field.name) == getattr(found, field.name), field.name
    assert again.common == {
        "label_counts": [4, 8],
        "encoder_settings": {"widths": [4, 8]},
        "plan": {"lr": 0.5},
    }
    assert tomllib.loads(toml_text(again.table())) == kept


def test_what_a_folder_began_with_is_weakest_and_is_not_changed():
    before = tomllib.loads(toml_text(asked(None, ("transfer.uda.threshold=0.5",), labels=6, arms=["scratch"]).table()))
    kept = toml_text(before)
    found = gathered(None, ("transfer.uda.threshold=0.7", "transfer.steps=3"), {"labels": 8}, before)
    assert (found.settings.uda.threshold, found.settings.steps, found.common["labels"]) == (0.7, 3, 8)
    assert found.generator == "two" and toml_text(before) == kept


def test_all_problems_are_told_at_once():
    with pytest.raises(SettingsError) as refused:
        gathered(
            None,
            ("transfer.stepz=3", "transfer.batch=1", "drawz=4", "labels=-1", "no assignment"),
            {"arms": ["scrach", "pseudo_both"], "sed": 1, "generator": ""},
            {},
        )
    told = "\n".join(refused.value.problems)
    for words in (
        "no source classifier was given: name its folder with --source-classifier DIR",
        "no generator was given: name its folder with --generator DIR",
        "unknown arm 'scrach': did you mean 'scratch'?",
        "arms must hold scratch, which the others are compared with",
        "unknown setting 'sed': did you mean 'seed'?",
        "--set takes name=value",
    ):
        assert words in told, told


@pytest.mark.parametrize(
    "override, told",
    [
        ("transfer.stepz=3", "unknown setting 'transfer.stepz': did you mean 'transfer.steps'?"),
        ("transfer.threshold=0.5", "did you mean 'transfer.uda.threshold'"),
        ("transfer.uda.treshold=0.5", "did you mean 'transfer.uda.threshold'"),
        ("transfer.batch=1", "transfer.batch must be >= 2, got 1"),
        ("transfer.steps=many", "transfer.steps"),
        ("transfer.weights=0.5", "transfer.weights takes a list, such as [0.5], got 0.5"),
        ("transfer.weights=[-1.0]", "transfer.weights must be one or more numbers >= 0"),
        ("transfer.weights=[]", "transfer.weights must be one or more numbers >= 0"),
        ("transfer.weights=[inf]", "transfer.weights must be one or more numbers >= 0"),
        ("transfer.temperatures=[0.0]", "transfer.temperatures must be one or more numbers > 0"),
        ("transfer.lr=nan", "transfer.lr must be > 0 and finite"),
        ("transfer.weight_decay=-1.0", "transfer.weight_decay must be >= 0"),
        ("transfer.algorithm=fixmach", "algorithm must be one of uda, fixmatch, got 'fixmach'"),
        ("transfer.positive=klass", "positive must be one of view, class, noise, got 'klass'"),
        ("transfer.cascade.condition=sure", "transfer.cascade.condition must be one of soft, hard"),
        ("transfer.sampling.least_probability=2.0", "transfer.sampling.least_probability must be at least 0"),
        ("transfer.uda.temperature=0.0", "transfer.uda.temperature must be > 0"),
        ("transfer=5", "transfer is a table"),
        ("transfer.arms=scratch", "arms takes a list of names, got 'scratch'"),
        ("transfer.arms=['scratch', 'scratch']", "arms names one twice"),
        ("transfer.resize=please", "resize is yes or no: true or false, got 'please'"),
        ("labelz=3", "unknown setting 'labelz': did you mean 'labels'?"),
        ("labels=-1", "labels must be >= 0, got -1"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_name(override, told):
    with pytest.raises(SettingsError) as refused:
        asked(None, (override,))
    (problem,) = refused.value.problems
    assert told in problem
