"""From what was asked to what will be done: splits, statistics, and every way in which data cannot serve."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from hundredfold.data.read import read
from hundredfold.errors import DataError, SettingsError
from hundredfold.studies.prepare import fingerprint, prepare
from hundredfold.studies.pretraining import new_method


def make(source, needs_labels=True, **given):
    return prepare(source, given, needs_labels=needs_labels)


def images(count=60, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 8, 8), dtype=np.uint8), np.arange(count) % classes


def told(prepared, beginning):
    return [note for note in prepared.notes if note.startswith(beginning)]


def test_labels_zero_takes_all_there_are():
    prepared = make(images(), labels=0, draws=1)
    assert prepared.settings.labels == 40 == len(prepared.split.draws[0])  # 60 less 12 to test on, 8 to validate
    assert max(prepared.settings.label_counts) == 40


def test_fewer_labels_than_asked_for_are_told():
    prepared = make(images(), labels=100, draws=1)
    assert prepared.settings.labels == 40
    assert (
        "40 labels a draw, not 100: of 60 images 60 carry a label, of which 12 for testing and 8 for validation are "
        "kept back"
    ) in prepared.notes


def test_all_labels_are_drawn_once():
    note = "all 40 labels beside 12 for testing and 8 for validation are taken: there is one way to draw them, so there"
    for labels in (0, 40, 1000):
        prepared = make(images(), labels=labels, draws=5)
        assert len(prepared.split.draws) == prepared.settings.draws == 1
        assert len(told(prepared, note)) == 1
    several = make(images(), labels=39, draws=5)
    assert several.settings.draws == len(several.split.draws) == 5 and not told(several, "all ")
    assert not told(make(images(), labels=0, draws=1), "all ")


def test_smaller_counts_that_were_asked_for_are_drawn_as_often_as_asked():
    prepared = make(images(), labels=0, draws=3, label_counts=(6, 40))
    assert prepared.settings.draws == len(prepared.split.draws) == 3 and not told(prepared, "all ")
    assert len({tuple(draw[:6].tolist()) for draw in prepared.split.draws}) == 3
    assert make(images(), labels=0, draws=3, label_counts=(40,)).settings.draws == 1


def test_one_draw_is_what_the_settings_of_the_run_repeat():
    first = make(images(), labels=0, draws=5)
    again = make(images(), **{name: getattr(first.settings, name) for name in ("labels", "draws", "label_counts")})
    assert again.settings == first.settings and torch.equal(again.split.draws[0], first.split.draws[0])


def test_labels_of_a_table_are_all_taken_unless_asked_otherwise(tmp_path):
    pixels, truth = images(400)
    table = tmp_path / "labels.csv"
    table.write_text("index,label\n" + "".join(f"{index},{truth[index]}\n" for index in range(180)))
    prepared = make(pixels, labelled=str(table))
    assert prepared.settings.labels == 144 and prepared.settings.draws == 1 and prepared.classes == ("0", "1", "2")
    assert set(prepared.split.draws[0].tolist()) <= set(range(180)), "positions are those of the source"
    assert told(prepared, "180 images of array labelled by ") and told(prepared, "all 144 labels beside 36 for testing")
    fewer = make(pixels, labelled=str(table), labels=50)
    assert fewer.settings.labels == 50 and fewer.settings.draws == 5
    np.savez(tmp_path / "other.npz", images=images(180, seed=1)[0], labels=truth[:180])
    assert make(pixels, labelled=str(tmp_path / "other.npz")).settings.labels == 100, "a second source is drawn from"


def test_many_labels_of_a_table_are_drawn_from(tmp_path, monkeypatch):
    monkeypatch.setattr("hundredfold.studies.prepare.ALL_TAKEN", 179)
    pixels, truth = images(400)
    table = tmp_path / "labels.csv"
    table.write_text("index,label\n" + "".join(f"{index},{truth[index]}\n" for index in range(180)))
    prepared = make(pixels, labelled=str(table))
    assert prepared.settings.labels == 100 and prepared.settings.draws == 5
    assert told(prepared, "100 of 144 labels a draw: --labels 0 learns from all of them")


def test_classes_that_were_never_labelled_are_told(tmp_path):
    pixels, truth = images(120, classes=4)
    np.savez(tmp_path / "t.npz", images=pixels[80:], labels=truth[80:])
    table = tmp_path / "labels.csv"
    table.write_text("index,label\n" + "".join(f"{index},{truth[index]}\n" for index in range(40) if truth[index] < 3))
    prepared = make(pixels[:80], labelled=str(table), test=str(tmp_path / "t.npz"))
    assert told(prepared, "classes only in the test set, which can never be predicted: 3")
    assert len(prepared.classes) == 4 and prepared.settings.labels == 30


def test_classes_that_a_draw_misses_or_that_are_not_tested_are_told():
    pixels, truth = images(60)
    truth = truth.copy()
    truth[0] = 3
    prepared = make((pixels, truth), labels=8, label_counts=(3,), draws=2)
    assert told(prepared, "3 labels cannot hold all 4 classes")
    assert told(prepared, "classes with a single label, which is learnt from, so that they are not tested: 3")
    assert not told(make((pixels, truth), labels=8, label_counts=(4,)), "4 labels")
    assert not told(make(images(), labels=8), "classes")


def test_quoted_numbers_are_numbers():
    assert make(images(), labels="10", draws="2", seed="3").settings.labels == 10


def test_unlabelled_images_serve_pretraining_alone():
    pixels, labels = images()
    labels = labels.copy()
    labels[30:] = -1
    prepared = make((pixels, labels), labels=6, draws=1)
    assert set(prepared.split.draws[0].tolist()) <= set(range(30))
    assert len(prepared.split.pool) + len(prepared.split.validation) + len(prepared.split.test) == 60


@pytest.mark.parametrize(
    "source, given, told",
    [
        ((images()[0][:1], np.zeros(1)), {}, "at least 2 are needed"),
        (images()[0], {}, "no image carries a label"),
        ((images()[0], np.zeros(60)), {}, "of one class"),
        (images(), {"labels": 2}, "fewer labels than classes: --labels 2 for 3 classes"),
        ((images()[0], np.r_[np.arange(3), np.full(57, -1)]), {"labels": 3}, "no labelled image is left to test on"),
    ],
    ids=["one image", "no labels", "one class", "fewer labels than classes", "nothing to test on"],
)
def test_data_that_cannot_serve(source, given, told):
    with pytest.raises(DataError, match=told) as refused:
        make(source, **given)
    assert refused.value.exit_status == 2


def test_settings_that_the_data_do_not_allow_are_told_together():
    with pytest.raises(SettingsError) as refused:
        make(images(), labels=10, label_counts=(5, 30), plan={"batch_size": 64})
    assert refused.value.problems == (
        "plan.batch_size 64 is larger than the pool of 40 images",
        "label_counts go up to 30, but a draw has 10 labels",
    )


def test_no_source_is_told():
    with pytest.raises(SettingsError, match="no SOURCE"):
        make(None)


def test_pretraining_needs_no_labels_and_takes_every_image():
    prepared = make(images()[0], needs_labels=False)
    assert prepared.split.draws == () and len(prepared.split.test) == 0
    assert len(prepared.split.pool) + len(prepared.split.validation) == 60
    assert prepared.held_out() is None


def test_a_test_set_of_its_own_is_used_for_nothing_else(tmp_path):
    pixels, labels = images()
    np.savez(tmp_path / "a.npz", x_train=pixels[:40], y_train=labels[:40], x_test=pixels[40:], y_test=labels[40:])
    prepared = make(str(tmp_path / "a.npz"), labels=6, draws=1)
    assert len(prepared.split.test) == 0 and len(prepared.held_out()) == 20
    np.savez(tmp_path / "t.npz", images=pixels[40:], labels=labels[40:])
    prepared = make((pixels[:40], labels[:40]), labels=6, draws=1, test=str(tmp_path / "t.npz"))
    assert len(prepared.held_out()) == 20 and len(prepared.images) == 40


def test_validation_is_left_out_where_it_cannot_compare():
    prepared = make(images(), labels=6, plan={"batch_size": 32})
    assert not prepared.settings.plan.validate
    assert any(note.startswith("no validation loss: 8 held-out images") for note in prepared.notes)
    assert make(images(), labels=6, plan={"batch_size": 8}).settings.plan.validate


def test_the_fingerprint_sees_pixels_labels_names_and_parts():
    pixels, labels = images()
    seen = {fingerprint(read((pixels, labels)))}
    assert fingerprint(read((pixels.copy(), labels.copy()))) in seen
    other_pixel, other_label = pixels.copy(), labels.copy()
    other_pixel[-1, -1, -1] ^= 1
    other_label[7] = (other_label[7] + 1) % 3
    for changed in ((other_pixel, labels), (pixels, other_label), (pixels[:-1], labels[:-1]), (pixels[::-1], labels)):
        seen.add(fingerprint(read(changed)))
    assert len(seen) == 5


def test_more_processes_need_a_source_that_they_can_read():
    with pytest.raises(SettingsError, match="other processes can read"):
        make(images(), labels=6, devices=2)


def test_views_that_the_channels_do_not_allow_are_told_before_training():
    images = np.random.default_rng(0).integers(0, 255, (80, 12, 12), dtype=np.uint8)
    with pytest.raises(SettingsError, match="only images of 3 channels turn grey, these have 1"):
        prepare(images, {"views": {"grey_probability": 0.2}}, needs_labels=False)


# --- methods that compare no views --------------------------------------------------------------------------------


def test_a_method_that_learns_from_labels_is_told_how_many_classes_there_are():
    assert make(images(), False, method="conditional_vae").settings.method_settings["classes"] == 3
    assert make(images()[0], False, method="conditional_vae").settings.method_settings["classes"] == 0
    assert make(images(), False, method="conditional_vae", method_settings={"classes": 3})
    with pytest.raises(SettingsError, match=r"classes is 5, but .* has 3: leave it out"):
        make(images(), False, method="conditional_vae", method_settings={"classes": 5})


def test_a_method_that_learns_from_labels_can_only_be_pretrained():
    with pytest.raises(SettingsError, match="conditional_vae learns from all labels there are") as refused:
        make(images(), method="conditional_vae", labels=6)
    assert "hundredfold pretrain" in refused.value.problems[0]


def test_mae_brings_the_encoder_that_it_trains():
    prepared = make(images(), False, method="mae")
    assert prepared.settings.encoder == "vit" and told(prepared, "encoder: vit, which mae trains")
    assert make(images(), False, method="mae", encoder="auto").settings.encoder == "vit"
    assert make(images(), False, method="simclr").settings.encoder == "convnet"


def test_another_encoder_is_refused_by_mae():
    with pytest.raises(SettingsError, match="vit"):
        new_method(make(images(), False, method="mae", encoder="convnet"))


def test_what_speaks_against_a_method_is_a_note():
    digits = load_digits().images.astype(np.float32)[:400] / 16
    both = np.concatenate([digits, digits[..., ::-1]])
    assert told(make(both, False, method="flip"), "flip: ")
    noise = np.random.default_rng(0).random((400, 8, 8)).astype(np.float32)
    assert told(make(noise, False, method="masked_patch"), "masked_patch: what surrounds the middle")
    assert not told(make(both, False, method="simclr"), "simclr: ")


def test_patches_that_do_not_divide_the_image_are_told_before_any_training():
    for given in (
        {"method": "masked_patch", "method_settings": {"patch": 3}},
        {"method": "mae", "encoder_settings": {"patch": 3}},
    ):
        with pytest.raises(SettingsError, match="3.* 8x8"):
            new_method(make(images(), False, **given))
