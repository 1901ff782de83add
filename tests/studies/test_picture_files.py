"""Images as files: a sheet laid out by hand, arrays, a file each, and what cannot be written."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from hundredfold.errors import OutputError, SettingsError
from hundredfold.studies.picture_files import GAP, check_target, sheet, write_images


def numbered(count, channels=1, height=3, width=5):
    """Images that are all of one shade: 10, 20, 30, ..."""
    shades = torch.arange(1, count + 1, dtype=torch.uint8) * 10
    return shades.view(-1, 1, 1, 1).expand(-1, channels, height, width).contiguous()


def test_a_sheet_is_laid_out_row_by_row_with_white_between():
    images = torch.arange(1, 5, dtype=torch.uint8).view(4, 1, 1, 1).expand(4, 1, 2, 3)
    found = sheet(images[:3])  # of sides 2x3: sqrt(3 * 2 / 3) = 1.4, so two columns
    w = 255
    by_hand = [
        [1, 1, 1, w, w, 2, 2, 2],
        [1, 1, 1, w, w, 2, 2, 2],
        [w, w, w, w, w, w, w, w],
        [w, w, w, w, w, w, w, w],
        [3, 3, 3, w, w, w, w, w],
        [3, 3, 3, w, w, w, w, w],
    ]
    assert found.tolist() == [by_hand] and GAP == 2


@pytest.mark.parametrize("count", [1, 2, 5, 25])
def test_every_image_is_on_the_sheet_once(count):
    found = sheet(numbered(count, height=4, width=4) // 10)
    for shade in range(1, count + 1):
        assert int((found == shade).sum()) == 16
    height, width = found.shape[1:]
    assert width >= height and width - height <= 4 + GAP


def test_a_png_is_the_sheet(tmp_path):
    for channels in (1, 3):
        images = numbered(7, channels) / 255
        write_images(tmp_path / "sheet.png", images)
        found = np.asarray(Image.open(io.BytesIO((tmp_path / "sheet.png").read_bytes())))
        wanted = sheet(numbered(7, channels))
        assert np.array_equal(found if channels == 3 else found[..., None], wanted.permute(1, 2, 0).numpy())


def test_arrays_hold_bytes_of_any_channels(tmp_path):
    images = numbered(4, channels=5)
    write_images(tmp_path / "a.npz", images)
    write_images(tmp_path / "a.npy", images / 255)
    assert np.array_equal(np.load(tmp_path / "a.npz")["images"], images.numpy())
    assert np.array_equal(np.load(tmp_path / "a.npy"), images.numpy())


def test_a_folder_gets_a_file_each(tmp_path):
    write_images(tmp_path / "new", numbered(12))
    assert [path.name for path in sorted((tmp_path / "new").iterdir())] == [f"{n:02}.png" for n in range(1, 13)]
    assert np.asarray(Image.open(tmp_path / "new" / "03.png")).tolist() == [[30] * 5] * 3


def test_a_png_has_one_channel_or_three(tmp_path):
    for target in ("a.png", "folder"):
        with pytest.raises(SettingsError, match="2 channels cannot be written as PNG") as refused:
            write_images(tmp_path / target, numbered(3, channels=2))
        assert ".npz" in refused.value.fix and not (tmp_path / target).exists()


def test_targets_that_cannot_be_are_told_before_any_work(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "folder").mkdir()
    for good in (None, "a.png", "a.npz", "a.npy", "new folder", "folder"):
        check_target(good and tmp_path / good)
    for bad, told in (
        ("a.pgn", "unknown file type '.pgn': did you mean '.png'"),
        ("a.jpeg", "unknown file type '.jpeg'"),
        ("nowhere/a.png", "there is no folder"),
        ("nowhere/folder", "there is no folder"),
        ("file", "there is a file of that name"),
        ("folder.png", "there is a folder of that name"),
    ):
        with pytest.raises(SettingsError, match=told):
            check_target(tmp_path / bad)


def test_a_folder_that_goes_away_meanwhile(tmp_path):
    with pytest.raises(OutputError, match="cannot write"):
        write_images(tmp_path / "gone" / "a.npz", numbered(1))
