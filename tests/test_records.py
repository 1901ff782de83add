"""Records are JSON both ways, with the names of `results.json`."""

import dataclasses
import json
import math
import typing

import pytest
from pydantic import ValidationError

from hundredfold import records, study_records, trust_records
from hundredfold.records import (
    ClassScore,
    DataSummary,
    EpochRecord,
    Interval,
    RunResult,
    Score,
    TrainingResult,
    from_json,
    to_json,
    to_plain,
)
from hundredfold.study_records import StudyResult

KINDS = [
    kind
    for module in (records, study_records, trust_records)
    for kind in vars(module).values()
    if dataclasses.is_dataclass(kind) and kind.__module__ == module.__name__
]


def example(kind):
    """An instance with a value for every field, however deep."""
    return kind(**{name: value_for(hint) for name, hint in typing.get_type_hints(kind).items()})


def value_for(hint):
    if dataclasses.is_dataclass(hint):
        return example(hint)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return (value_for(inner[0]), value_for(inner[0]))
    if origin is dict:
        return {"é <b>": value_for(inner[1])}
    if inner:  # "x or None"
        return value_for(next(kind for kind in inner if kind is not type(None)))
    return {str: 'a "b" \\ é', int: 3, float: 0.1, bool: False, typing.Any: "x"}[hint]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_comes_back_as_it_was(kind):
    record = example(kind)
    if kind in (RunResult, StudyResult):  # where it lies is not part of what was found
        assert "folder" not in json.loads(to_json(record))
        record = dataclasses.replace(record, folder="")
    assert from_json(kind, to_json(record)) == record


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_is_frozen_and_documented_field_by_field(kind):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(example(kind), dataclasses.fields(kind)[0].name, None)
    assert kind.__doc__ and kind.__doc__.strip().split("\n")[0].endswith(".")
    described = len(dataclasses.fields(kind)) > 5
    for field in dataclasses.fields(kind) if described else []:
        assert field.name in kind.__doc__, field.name


def test_names_of_results_json():
    score = Score(
        model="knn",
        labels=10,
        draw=0,
        seed=0,
        accuracy=0.5,
        macro_f1=0.5,
        seconds=1.0,
        confusion=((1, 0), (1, 0)),
        per_class=(ClassScore(name="7", precision=0.5, recall=1.0, support=1),),
    )
    data = DataSummary(source="x", images=2, test_images=2, channels=1, height=8, width=8)
    interval = Interval(mean=0.5, std=0.0, low=0.5, high=0.5, draws=1)
    result = RunResult(
        source="x",
        method="simclr",
        encoder="convnet",
        seconds={"total": 2.0},
        data=data,
        records=(score,),
        summary={"knn": {"10": interval}},
    )
    plain = json.loads(to_json(result))
    assert plain["schema"] == 1 and plain["seconds"]["total"] == 2.0
    assert plain["records"][0]["per_class"] == [{"class": "7", "precision": 0.5, "recall": 1.0, "support": 1}]
    assert plain["records"][0]["confusion"] == [[1, 0], [1, 0]]
    assert plain["summary"]["knn"]["10"]["mean"] == 0.5
    assert {"similarity", "verdict", "chosen", "source", "method"} <= plain.keys() and plain == to_plain(result)


def test_a_file_from_before_trust_was_measured_is_still_read():
    data = DataSummary(source="x", images=2, test_images=2, channels=1, height=8, width=8)
    plain = to_plain(RunResult(source="x", method="simclr", encoder="convnet", seconds={}, data=data))
    for name in ("trust", "suspects"):
        del plain[name]
    found = from_json(RunResult, json.dumps(plain))
    assert found.trust is None and found.suspects == ()


def test_numbers_that_are_not_finite_become_null():
    epoch = EpochRecord(
        epoch=1,
        step=1,
        loss=math.nan,
        lr=math.inf,
        images_per_second=1.0,
        data_wait=0.0,
        seconds=0.0,
        logs={"a": -math.inf},
    )
    plain = json.loads(to_json(epoch))
    assert plain["loss"] is None and plain["lr"] is None and plain["logs"] == {"a": None}
    assert plain["images_per_second"] == 1.0


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"mean": "x", "std": 0, "low": 0, "high": 0, "draws": 1}'])
def test_text_that_is_no_record_is_refused(text):
    with pytest.raises(ValidationError):
        from_json(Interval, text)


def test_numbers_keep_every_digit():
    result = TrainingResult(
        steps=1, parameters=1, batch_size=2, epochs=(), seconds=0.1 + 0.2, precision="float32", device="cpu"
    )
    assert from_json(TrainingResult, to_json(result)).seconds == 0.1 + 0.2
