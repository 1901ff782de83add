"""A whole transfer on a small source and target: judged, learnt, compared, handed over, interrupted, refused."""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import hundredfold
import hundredfold.methods.catalogue as methods
from hundredfold.encoders._base import Encoder
from hundredfold.encoders.build import encoder
from hundredfold.encoders.folder import load_encoder, save_encoder
from hundredfold.errors import CheckpointError, DataError, Interrupted, OutputError, SettingsError
from hundredfold.evaluate.probe import Linear
from hundredfold.records import from_json
from hundredfold.studies import transfer_cells, transfer_quality
from hundredfold.studies.generator import save_generator
from hundredfold.studies.hand_over import Classifier, save_classifier
from hundredfold.studies.job import Request, Surroundings
from hundredfold.studies.transfer import STUDY_ARMS, TRANSFER_ARMS, study_transfer, transfer
from hundredfold.studies.transfer_estimate import estimate_transfer
from hundredfold.studies.transfer_verdict import comparisons
from hundredfold.train import memory
from hundredfold.transfer.arms import BY_NAME
from hundredfold.transfer.classification_accuracy_score import ScoreSettings
from hundredfold.transfer.generator_quality import QualitySettings, judge
from hundredfold.transfer_records import TransferResult
from hundredfold.views.chain import Chain

QUICK: dict[str, Any] = {  # a transfer of a second or two: two labels a class, so that halves can be dealt
    "label_counts": [3, 6],
    "draws": 2,
    "encoder": "convnet",
    "encoder_settings": {"widths": [4], "features": 16, "dropout": 0.1},
    "transfer": {
        "pretrain_steps": 3,
        "pretrain_batch": 16,
        "steps": 3,
        "batch": 8,
        "unlabelled_batch": 8,
        "weights": [0.0, 0.5],
        "temperatures": [2.0],
    },
}
SMALL = {"widths": [4], "features": 8}


@pytest.fixture(scope="module", autouse=True)
def no_collecting() -> Iterator[None]:
    """Training collects garbage before it measures memory: of a whole test session that takes longer than the rest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "gc", SimpleNamespace(collect=lambda: 0))
        yield


@pytest.fixture(scope="module")
def artefacts(pretrained: Callable[[str], Path], mosaics_file: Path, tmp_path_factory: Any) -> dict[str, str]:
    """Runs on the mosaics: one that draws them, one that knows them."""
    out = tmp_path_factory.mktemp("source") / "classifier"
    hundredfold.run(
        str(mosaics_file),
        out=out,
        labels=60,
        draws=1,
        label_counts=(60,),
        models=("linear_probe",),
        epochs=2,
        encoder="convnet",
        encoder_settings={"widths": (8, 16), "features": 32},
    )
    return {"source_classifier": str(out), "generator": str(pretrained("conditional_vae"))}


@pytest.fixture(scope="module")
def target_file(tmp_path_factory: Any) -> Path:
    """90 images of three classes that the source does not know."""
    rng = np.random.default_rng(7)
    labels = np.arange(90) % 3
    tiles = rng.integers(0, 256, (3, 4, 4)).repeat(2, axis=1).repeat(2, axis=2)
    noisy = tiles[labels] + rng.integers(-60, 61, (90, 8, 8))
    path = tmp_path_factory.mktemp("target") / "target.npz"
    np.savez(path, images=noisy.clip(0, 255).astype(np.uint8), labels=np.array(["x", "y", "z"])[labels])
    return path


@pytest.fixture(scope="module")
def finished(artefacts: dict[str, str], target_file: Path, tmp_path_factory: Any) -> TransferResult:
    """A transfer that nothing came in the way of. Not to be changed: copy it."""
    return transfer(str(target_file), out=tmp_path_factory.mktemp("finished") / "run", **artefacts, **QUICK)


@pytest.fixture(scope="module")
def studied(artefacts: dict[str, str], target_file: Path, mosaics_file: Path, tmp_path_factory: Any) -> TransferResult:
    """Every arm, at two numbers of labels, without a choice of settings."""
    score = ScoreSettings(encoder_settings=SMALL, images=90, steps=30, batch_size=30, lr=1e-2)
    quick = functools.partial(judge, settings=QualitySettings(samples=60, score=score, least_consistency=0.5))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transfer_quality, "judge", quick)
        return study_transfer(
            str(target_file),
            out=tmp_path_factory.mktemp("studied") / "run",
            source_data=str(mosaics_file),
            use_anyway=True,  # thirty steps do not judge
            **artefacts,
            **{**QUICK, "draws": 1, "transfer": {**QUICK["transfer"], "weights": [0.5]}},
        )


def folder(result: TransferResult) -> Path:
    return Path(result.folder)


def timeless(run: Path) -> Any:
    """What a transfer found, without what clocks say."""

    def without(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: without(inner) for name, inner in value.items() if name != "seconds"}
        return [without(inner) for inner in value] if isinstance(value, list) else value

    return without(json.loads((run / "results.json").read_text()))


def weights(run: Path) -> bytes:
    return (run / "classifier" / "encoder" / "model.safetensors").read_bytes() + (
        run / "classifier" / "model.safetensors"
    ).read_bytes()


# What is found, and what is handed over.


def test_arms_draws_and_labels_are_all_there(finished: TransferResult) -> None:
    assert tuple(arm.name for arm in finished.arms) == TRANSFER_ARMS and finished.label_counts == (3, 6)
    assert {(one.model, one.labels, one.draw) for one in finished.records} == {
        (arm, labels, draw) for arm in TRANSFER_ARMS for labels in (3, 6) for draw in (0, 1)
    }
    assert all(one.per_class and 0 <= one.accuracy <= 1 for one in finished.records)
    assert finished.comparisons == comparisons(finished.records, tuple(BY_NAME[arm] for arm in TRANSFER_ARMS))
    assert finished.quality.trusted and finished.quality.classes == ("0", "1", "2")
    assert finished.data.classes == ("x", "y", "z") and finished.source.endswith("target.npz")
    assert finished.verdict and finished.settings["transfer"]["steps"] == 3


def test_settings_are_chosen_where_labels_can_be_halved(finished: TransferResult) -> None:
    choices = {(one.arm, one.labels, one.draw): one for one in finished.choices}
    assert set(choices) == {("pseudo_both", 6, 0), ("pseudo_both", 6, 1)}, "three labels cannot be"
    for one in choices.values():
        tried = [trial.settings for trial in one.trials]
        assert tried == [{"weight": 0.0}, {"weight": 0.5, "temperature": 2.0}] and one.chosen in tried
    taken = {(one.labels, one.draw): one.hyperparameters for one in finished.records if one.model == "pseudo_both"}
    assert taken[3, 0] == taken[3, 1] == {"weight": 0.0}
    assert all(taken[6, draw] == choices["pseudo_both", 6, draw].chosen for draw in (0, 1))


def test_an_arm_of_weight_nothing_is_the_arm_that_it_goes_on_from(finished: TransferResult) -> None:
    found = {(one.model, one.labels, one.draw): one for one in finished.records}
    assert found["pseudo_both", 3, 0].confusion == found["pseudo_pretraining", 3, 0].confusion


def test_results_are_read_back_as_they_were(finished: TransferResult) -> None:
    text = (folder(finished) / "results.json").read_text()
    again = from_json(TransferResult, text)
    assert again.records == finished.records and again.quality == finished.quality
    assert again.comparisons == finished.comparisons and again.chosen == finished.chosen


def test_the_page_and_the_pictures_are_written(finished: TransferResult) -> None:
    html = (folder(finished) / "report.html").read_text()
    assert "from scratch" in html and "PP + P-SSL" in html and "images of the target" in html
    assert {path.stem for path in (folder(finished) / "exhibits").iterdir()} == {"samples", "cascade"}
    cascade = json.loads((folder(finished) / "exhibits" / "cascade.json").read_text())
    target, mixed = cascade["rows"]
    assert set(target["captions"]) == {"x", "y", "z"} and len(target["captions"]) == 6, "those of the first draw alone"
    assert "temperature 2" in mixed["title"] and all(" % " in caption for caption in mixed["captions"])


def test_what_is_handed_over_predicts_as_its_arm_did(finished: TransferResult, target_file: Path) -> None:
    run = folder(finished)
    assert finished.chosen in TRANSFER_ARMS and "half of 6 each time" in finished.why
    split = json.loads((run / "splits.json").read_text())
    found = hundredfold.predict(run, str(target_file))
    truth = np.load(target_file)["labels"][split["test"]]
    right = np.mean(np.array(found.labels)[split["test"]] == truth)
    (score,) = [one for one in finished.records if (one.model, one.labels, one.draw) == (finished.chosen, 6, 0)]
    assert right == pytest.approx(score.accuracy) and found.classes == ("x", "y", "z")
    same = load_encoder(run / "encoder").state_dict()
    kept = load_encoder(run / "classifier" / "encoder").state_dict()
    assert all(torch.equal(value, kept[name]) for name, value in same.items())
    assert hundredfold.embed(run, str(target_file)).features.shape == (90, 16)


def test_a_study_compares_everything_and_hands_nothing_over(studied: TransferResult) -> None:
    assert tuple(arm.name for arm in studied.arms) == STUDY_ARMS and studied.label_counts == (3, 6)
    assert {arm.name for arm in studied.arms if arm.oracle} == {"source_oracle", "unlabelled_oracle"}
    steps = {arm.name: (arm.pretrain_steps, arm.target_steps) for arm in studied.arms}
    assert steps["scratch"] == (0, 3) and steps["long_scratch"] == (0, 6) and steps["pseudo_both"] == (3, 3)
    assert len(studied.records) == 2 * len(STUDY_ARMS) and studied.choices == ()
    assert studied.chosen == "" and not (folder(studied) / "classifier").exists()
    assert {(one.arm, one.oracle) for one in studied.recovered} >= {
        ("pseudo_pretraining", "source_oracle"),
        ("pseudo_semi_supervised", "unlabelled_oracle"),
    }
    assert studied.quality.real_accuracy is not None and studied.quality.memorised is not None
    assert any("no test set" in note for note in studied.notes)
    assert (folder(studied) / "exhibits" / "memorised.json").exists()
    assert studied.logs["unlabelled_oracle"]["6"].keys() >= {"supervised", "unsupervised", "sure"}


def test_arms_without_their_data_are_left_out_with_a_sentence(
    artefacts: dict[str, str], target_file: Path, tmp_path: Path
) -> None:
    settings = {**QUICK, "transfer": {**QUICK["transfer"], "unlabelled_batch": 500}}
    arms = ("scratch", "source_oracle", "unlabelled_oracle")
    found = study_transfer(str(target_file), out=tmp_path / "run", arms=arms, **artefacts, **{**settings, "draws": 1})
    assert [arm.name for arm in found.arms] == ["scratch"]
    told = " ".join(found.notes)
    assert "real source is left out: it needs the source's real images (--source-data)" in told
    assert "real unlabelled is left out: it needs 500 images" in told


def test_an_estimate_counts_the_networks_and_writes_nothing(
    artefacts: dict[str, str], target_file: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    found = estimate_transfer(str(target_file), Request(settings={**artefacts, **QUICK}), study=False)
    # A draw is one pre-training, and at each of two counts scratch, long scratch, PP, and PP + P-SSL five times: from
    # two halves at two weights, and from all labels.
    assert (found.draws, found.label_counts, found.networks) == (2, (3, 6), 2 * (1 + 2 * (3 + 5)))
    assert found.steps == 2 * (3 + 2 * (3 + 6 + 3 + 5 * 3)) and len(found.arms) == 4
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "given, counts",
    [
        ({}, (100,)),
        ({"labels": 12}, (12,)),
        ({"labels": 0}, (150,)),
        ({"labels": 9999}, (150,)),
        ({"label_counts": [6, 3]}, (3, 6)),
        ({"label_counts": [3], "labels": 12}, (3, 12)),
    ],
)
def test_the_numbers_of_labels(artefacts: dict[str, str], given: dict[str, Any], counts: tuple[int, ...]) -> None:
    images, labels = np.zeros((225, 8, 8), dtype=np.uint8), np.arange(225) % 3  # 45 are for testing, 30 for validation
    images[:] = np.random.default_rng(0).integers(0, 256, (225, 8, 8))
    found = estimate_transfer((images, labels), Request(settings={**artefacts, **given}), study=True)
    assert found.label_counts == counts


# Interrupted, and going on.


@pytest.fixture
def again(artefacts: dict[str, str], target_file: Path, tmp_path: Path) -> Callable[..., TransferResult]:
    """again(resume=True): the transfer of `finished`, in this test's folder."""

    def called(**keywords: Any) -> TransferResult:
        given = {"out": tmp_path / "run", **artefacts, **QUICK, **keywords}
        return transfer(str(target_file), **given)

    return called


@pytest.fixture
def learnt(monkeypatch: Any) -> list[str]:
    """Names of the cells that are learnt, as they are."""
    names: list[str] = []
    save = transfer_cells.save

    def spied(path: Path, *rest: Any) -> None:
        save(path, *rest)
        names.append(path.stem)

    monkeypatch.setattr(transfer_cells, "save", spied)
    return names


def test_an_interrupted_transfer_goes_on_and_is_the_unbroken_one(
    finished: TransferResult, again: Callable[..., TransferResult], learnt: list[str], tmp_path: Path, monkeypatch: Any
) -> None:
    save = transfer_cells.save

    def struck(path: Path, *rest: Any) -> None:
        save(path, *rest)
        if len(learnt) == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(transfer_cells, "save", struck)
        with pytest.raises(Interrupted, match="resume=True and out=.*run'") as stopped:
            again()
    assert stopped.value.exit_status == 143 and "stopped after 3 of 16 arms" in stopped.value.what
    assert "stopped after 3 of 16" in (tmp_path / "run" / "log.txt").read_text()
    assert not (tmp_path / "run" / "results.json").exists()
    told: list[str] = []
    resumed = transfer(None, out=tmp_path / "run", resume=True, surroundings=Surroundings(tell=told.append))
    assert len(learnt) == 16 and learnt[3] == "pseudo_both-3-0", "finished cells are not learnt again"
    assert "looking at the generator's images" not in told, "it was judged before"
    assert timeless(tmp_path / "run") == timeless(folder(finished))
    assert weights(tmp_path / "run") == weights(folder(finished)) and resumed.chosen == finished.chosen


def test_a_signal_in_the_midst_of_an_arm_and_of_judging(again: Callable[..., TransferResult], tmp_path: Path) -> None:
    def strike(at: str) -> Surroundings:
        return Surroundings(tell=lambda line: os.kill(os.getpid(), signal.SIGINT) if at in line else None)

    with pytest.raises(Interrupted) as stopped:
        again(surroundings=strike("looking at the generator"))
    assert stopped.value.exit_status == 130 and "start it again" in stopped.value.fix
    with pytest.raises(Interrupted) as stopped:
        again(surroundings=strike("3 of 16"))
    assert stopped.value.exit_status == 130 and "resume=True" in stopped.value.fix


def test_a_finished_transfer_learns_nothing_again(finished: TransferResult, learnt: list[str], tmp_path: Path) -> None:
    run = shutil.copytree(folder(finished), tmp_path / "run")
    same = transfer(None, out=run, resume=True)
    assert learnt == [] and same.records == finished.records and weights(run) == weights(folder(finished))


def test_damaged_cells_are_learnt_again(finished: TransferResult, learnt: list[str], tmp_path: Path) -> None:
    run = shutil.copytree(folder(finished), tmp_path / "run")
    (run / "cells" / "scratch-3-0.safetensors").unlink()
    (run / "cells" / "scratch-6-1.safetensors").write_bytes(b"half a file")
    (run / "cells" / "pseudo_both-6-0.json").write_text("{")
    transfer(None, out=run, resume=True)
    assert learnt == ["scratch-3-0", "pseudo_both-6-0", "scratch-6-1"] and timeless(run) == timeless(folder(finished))


def test_other_artefacts_are_judged_and_learnt_from_again(
    finished: TransferResult, artefacts: dict[str, str], learnt: list[str], tmp_path: Path
) -> None:
    run = shutil.copytree(folder(finished), tmp_path / "run")
    copied = shutil.copytree(artefacts["generator"], tmp_path / "checkpoints" / "generator")
    told: list[str] = []
    talk = Surroundings(tell=told.append)
    transfer(None, out=run, resume=True, generator=copied, surroundings=talk)
    assert learnt == [] and "looking at the generator's images" not in told, "the same in another place"
    drawing(copied, ("0", "1", "2"))
    with pytest.raises(CheckpointError, match="should not be learnt from"):
        transfer(None, out=run, resume=True, generator=copied)
    assert learnt == []


def test_what_must_not_change_on_the_way(
    finished: TransferResult, again: Callable[..., TransferResult], target_file: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder(finished), tmp_path / "run")
    for changed, told in (
        ({"seed": 5}, "seed was 0, now 5"),
        ({"label_counts": [3]}, "label_counts was (3, 6), now (3,)"),
        ({"arms": ["scratch"]}, "arms"),
        ({"use_anyway": True}, "use_anyway"),
        ({"overrides": ["transfer.uda.threshold=0.5"]}, "transfer.uda.threshold"),
        ({"source_data": str(target_file)}, "source_data"),
    ):
        with pytest.raises(SettingsError, match="holds a transfer with other settings") as refused:
            again(resume=True, **changed)
        assert told in str(refused.value)
    images = np.load(target_file)
    np.savez(tmp_path / "other.npz", images=255 - images["images"], labels=images["labels"])
    with pytest.raises(DataError, match="not those that the run"):
        transfer(str(tmp_path / "other.npz"), out=tmp_path / "run", resume=True)
    assert again(resume=True).records == finished.records, "the same settings, said again, are the same"


def test_a_folder_is_replaced_only_when_asked(
    finished: TransferResult, again: Callable[..., TransferResult], learnt: list[str], tmp_path: Path
) -> None:
    run = shutil.copytree(folder(finished), tmp_path / "run")
    (run / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="is not empty"):
        again()
    found = again(overwrite=True, arms=["scratch"], draws=1)
    assert learnt == ["scratch-3-0", "scratch-6-0"] and found.chosen == "scratch"
    assert (run / "notes.txt").read_text() == "mine" and len(list((run / "cells").glob("*.safetensors"))) == 2


def test_what_is_needed_is_not_replaced(artefacts: dict[str, str], again: Callable[..., TransferResult]) -> None:
    for name, path in artefacts.items():
        with pytest.raises(OutputError, match="--overwrite would remove"):
            again(out=path, overwrite=True)
        assert (Path(path) / "encoder").is_dir(), name


def test_a_run_is_no_transfer(unbroken: Path, again: Callable[..., TransferResult], tmp_path: Path) -> None:
    run = shutil.copytree(unbroken, tmp_path / "run")
    with pytest.raises(OutputError, match="holds no transfer"):
        again(resume=True)
    assert (run / "results.json").read_bytes() == (unbroken / "results.json").read_bytes()
    with pytest.raises(SettingsError, match="exclude each other"):
        again(resume=True, overwrite=True)
    with pytest.raises(SettingsError, match="--resume needs --out"):
        again(resume=True, out=None)


MOMENTS = [  # one after the other in the same transfer
    ("asked.toml", 1, "before"),
    ("quality.json", 1, "before"),
    ("scratch-3-0.safetensors", 1, "after"),
    ("step", 5, "before"),
    ("manifest.json", 1, "before"),
    ("results.json", 1, "before"),
]


def test_killed_again_and_again_it_is_the_unbroken_one(
    hundredfold_process: Any, finished: TransferResult, artefacts: dict[str, str], target_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "quick.toml").write_text(hundredfold.settings.toml_text(QUICK))
    command = [
        "transfer",
        *(f"--{name.replace('_', '-')}={path}" for name, path in artefacts.items()),
        f"--target={target_file}",
        f"--config={tmp_path / 'quick.toml'}",
        f"--out={tmp_path / 'run'}",
        "--quiet",
    ]
    for number, (at, count, when) in enumerate(MOMENTS):
        more = ["--resume"] if number else []
        found = hundredfold_process(*command, *more, at=at, count=count, when=when)
        assert found.returncode == -signal.SIGKILL, (at, found.stderr)
    resumed = hundredfold_process("transfer", "--resume", "--out", tmp_path / "run", "--quiet")
    assert resumed.returncode == 0, resumed.stderr
    assert timeless(tmp_path / "run") == timeless(folder(finished))
    assert weights(tmp_path / "run") == weights(folder(finished)) and (tmp_path / "run" / "report.html").exists()


# What cannot be used: a sentence before any training.


def untrained(channels: int, side: int) -> Encoder:
    mean, std = [0.4] * channels, [0.3] * channels
    return encoder("convnet", channels=channels, size=(side, side), mean=mean, std=std, settings=SMALL, seed=0)


def drawing(run: Path, classes: tuple[str, ...], *, channels: int = 1, side: int = 8, deaf: bool = False) -> str:
    """A run whose conditional model learnt nothing; a deaf one does not hear its condition either."""
    start = encoder(
        "convnet",
        channels=channels,
        size=(side, side),
        mean=[0.4] * channels,
        std=[0.3] * channels,
        settings=SMALL,
        seed=0,
    )
    settings = {"classes": len(classes), "latent": 4}
    model = methods.build("conditional_vae", start, Chain(()), settings, seed=0)
    if deaf:
        with torch.no_grad():
            for weight in model.decoder.parameters():
                weight.zero_()
    save_encoder(model.encoder, run / "encoder")
    save_generator(model, run / "generator", name="conditional_vae", settings=settings, classes=classes)
    return str(run)


def knowing(run: Path, classes: tuple[str, ...], *, channels: int = 1, side: int = 8) -> str:
    """A classifier that learnt nothing."""
    start = encoder(
        "convnet",
        channels=channels,
        size=(side, side),
        mean=[0.4] * channels,
        std=[0.3] * channels,
        settings=SMALL,
        seed=0,
    )
    rng = torch.Generator().manual_seed(0)
    weight = torch.randn(len(classes), 8, generator=rng)
    head = Linear(weight=weight, bias=torch.zeros(len(classes)), unit_length=False)
    save_classifier(Classifier(encoder=start.eval(), head=head, classes=classes), run / "classifier")
    return str(run)


def test_a_generator_that_should_not_be_trusted_is_refused_before_any_arm(
    again: Callable[..., TransferResult], learnt: list[str], tmp_path: Path
) -> None:
    bad = drawing(tmp_path / "bad", ("0", "1", "2"))
    with pytest.raises(CheckpointError, match="should not be learnt from") as refused:
        again(generator=bad)
    assert refused.value.exit_status == 2 and "--use-anyway" in refused.value.fix
    assert "takes only" in refused.value.why and learnt == []
    assert "should not be learnt from" in (tmp_path / "run" / "log.txt").read_text()
    found = again(generator=bad, use_anyway=True, draws=1, arms=["scratch", "pseudo_pretraining"])
    assert len(learnt) == 4 and not found.quality.trusted
    assert "should not be trusted" in found.verdict[-1]
    assert "should not be trusted" in (tmp_path / "run" / "report.html").read_text()


def test_a_generator_that_ignores_its_condition_is_told_so(
    again: Callable[..., TransferResult], learnt: list[str], tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match="should not be learnt from") as refused:
        again(generator=drawing(tmp_path / "deaf", ("0", "1", "2"), deaf=True))
    assert "ignores the class that it is asked for" in refused.value.why and learnt == []


@pytest.fixture
def refused(again: Callable[..., TransferResult], learnt: list[str], tmp_path: Path) -> Callable[..., str]:
    """refused(SettingsError, target=...): all of what the error says; nothing was learnt or written."""

    def asked(kind: type[Exception], *target: Any, **keywords: Any) -> str:
        with pytest.raises(kind) as found:
            if target:
                transfer(*target, out=tmp_path / "run", **{**QUICK, **keywords})
            else:
                again(**keywords)
        assert learnt == [] and not (tmp_path / "run").exists(), "nothing is written"
        return str(found.value)

    return asked


def test_classes_that_differ(refused: Callable[..., str], tmp_path: Path) -> None:
    told = refused(SettingsError, source_classifier=knowing(tmp_path / "two", ("0", "1")))
    assert "the generator draws 3 classes, the source classifier knows 2" in told
    told = refused(SettingsError, transfer={"sampling": {"class_prior": [1.0, 1.0]}})
    assert "transfer.sampling.class_prior has 2 shares, the generator draws 3 classes" in told


def test_forms_that_differ(
    refused: Callable[..., str], artefacts: dict[str, str], learnt: list[str], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    larger = (rng.integers(0, 256, (60, 12, 12)).astype(np.uint8), np.arange(60) % 3)
    told = refused(SettingsError, larger, **artefacts)
    assert "images of 8 x 8, 1 channel; the target's are of 12 x 12, 1 channel" in told and "--resize" in told
    odd = drawing(tmp_path / "odd", ("0", "1", "2"), channels=2)
    assert "2 channels cannot be brought to 1" in refused(SettingsError, generator=odd, resize=True)
    everything = refused(SettingsError, generator=odd, source_classifier=knowing(tmp_path / "two", ("0", "1")))
    assert "knows 2" in everything and "8 x 8, 2 channels" in everything, "all at once"
    settings = {**QUICK, "draws": 1, "label_counts": [6]}
    found = transfer(
        larger, out=tmp_path / "run", resize=True, arms=["scratch", "pseudo_both"], **artefacts, **settings
    )
    assert learnt == ["scratch-6-0", "pseudo_both-6-0"] and found.data.height == 12
    assert any("brought to 12 x 12" in note for note in found.notes)


def test_a_target_that_cannot_be_learnt(refused: Callable[..., str], artefacts: dict[str, str]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8)).astype(np.uint8)
    assert "no image carries a label" in refused(DataError, images, **artefacts)
    assert "of one class" in refused(DataError, (images, np.zeros(60, dtype=int)), **artefacts)
    assert "no target was given" in refused(SettingsError, None, **artefacts)


def test_folders_that_hold_nothing_of_use(
    refused: Callable[..., str], artefacts: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    assert "there is no folder" in refused(CheckpointError, generator=str(tmp_path / "nowhere"))
    assert "holds no generator that can be used" in refused(CheckpointError, generator=str(tmp_path / "empty"))
    assert "holds no classifier" in refused(CheckpointError, source_classifier=artefacts["generator"])
    assert "holds no generator" in refused(CheckpointError, generator=artefacts["source_classifier"])
    assert "no generator was given" in refused(SettingsError, generator="")


def test_real_images_of_another_source(refused: Callable[..., str], target_file: Path, mosaics_file: Path) -> None:
    told = refused(DataError, source_data=str(target_file))
    assert "has no image of the generator's class '0'" in told
    assert "--source-test needs --source-data" in refused(SettingsError, source_test=str(mosaics_file))
    assert "unknown arm 'scrath'" in refused(SettingsError, arms=["scrath", "scratch"])
