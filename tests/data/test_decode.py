"""One file at a time: every kind of good one against values worked out by hand, every kind of bad one refused."""

from __future__ import annotations

import io
import os
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFile

from hundredfold.data.decode import BadImage, Form, Kind, decode, decode_as_is, peek, quiet_decoding

LIMIT = 50_000_000


def encoded(image: Image.Image, kind: str = "PNG", **settings: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **settings)
    return stream.getvalue()


def pixels(content: bytes | Path) -> torch.Tensor:
    return decode_as_is(content, LIMIT)[1]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM"])
def test_each_format_gives_its_pixels(kind: str) -> None:
    image = Image.new("RGB", (6, 4), (200, 100, 50))
    settings = {"lossless": True} if kind == "WEBP" else {"quality": 100} if kind == "JPEG" else {}
    found = pixels(encoded(image, kind, **settings))
    assert found.shape == (3, 4, 6) and found.dtype == torch.uint8
    assert (found.float().mean((1, 2)) - torch.tensor([200.0, 100.0, 50.0])).abs().max() <= 2


@pytest.mark.parametrize(
    ("mode", "value", "expected"),
    [
        ("1", 1, [255]),
        ("L", 7, [7]),
        ("RGB", (1, 2, 3), [1, 2, 3]),
        ("RGBA", (10, 20, 30, 255), [10, 20, 30]),
        ("RGBA", (10, 20, 30, 0), [255, 255, 255]),  # nothing but the white underneath
        ("LA", (10, 0), [255]),
        ("CMYK", (0, 255, 255, 0), [255, 0, 0]),
    ],
)
def test_each_mode_becomes_grey_or_rgb(mode: str, value: object, expected: list[int]) -> None:
    kind = "TIFF" if mode == "CMYK" else "PNG"
    found = pixels(encoded(Image.new(mode, (3, 2), value), kind))
    assert found[:, 0, 0].tolist() == expected


def test_half_transparent_is_half_white() -> None:
    found = pixels(encoded(Image.new("RGBA", (2, 2), (0, 100, 200, 128))))
    by_hand = [value * 128 / 255 + 255 * 127 / 255 for value in (0, 100, 200)]
    assert np.abs(found[:, 0, 0].numpy() - by_hand).max() <= 1


def test_palette_becomes_rgb_and_its_transparent_colour_white() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    assert pixels(encoded(image))[:, 0].T.tolist() == [[255, 0, 0], [0, 0, 255]]
    assert pixels(encoded(image, transparency=1))[:, 0].T.tolist() == [[255, 0, 0], [255, 255, 255]]


def test_sixteen_bit_grey_keeps_its_depth() -> None:
    values = np.array([[0, 1, 65535], [256, 32768, 3]], np.uint16)
    header, found = decode_as_is(encoded(Image.fromarray(values)), LIMIT)
    assert header.kind is Kind.DEEP_GREY and found.dtype == torch.float32
    for row in range(2):
        for column in range(3):
            assert found[0, row, column].item() == pytest.approx(int(values[row, column]) / 65535)


def test_sixteen_bit_grey_among_others_becomes_eight_bits() -> None:
    content = encoded(Image.fromarray(np.array([[0, 65535, 32896]], np.uint16)))
    assert decode(content, Form(Kind.COLOUR, 1, 3), LIMIT).tolist() == [[[0, 255, 128]]] * 3
    assert decode(encoded(Image.new("L", (1, 1), 51)), Form(Kind.DEEP_GREY, 1, 1), LIMIT).item() == pytest.approx(0.2)


def test_values_beyond_sixteen_bits_are_refused() -> None:
    content = encoded(Image.fromarray(np.array([[0, 70000]], np.int32)), "TIFF")
    with pytest.raises(BadImage, match="only 0 to 65535"):
        pixels(content)


def test_float_pixels_are_refused_with_what_to_do() -> None:
    with pytest.raises(BadImage, match=r"mode F: save it with 8 or 16 bits"):
        peek(encoded(Image.fromarray(np.zeros((2, 2), np.float32)), "TIFF"), LIMIT)


def test_first_frame_of_an_animation() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "green", "blue")]
    found = pixels(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert found[:, 0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    upright = np.zeros((16, 32), np.uint8)
    upright[:8, :16] = 255  # the top left quarter is white
    rows_and_columns = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),  # shown turned clockwise, so stored turned the other way
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(rows_and_columns[orientation])).convert("RGB")
    settings = {"lossless": True} if kind == "WEBP" else {}
    header, found = decode_as_is(encoded(stored, kind, exif=exif, **settings), LIMIT)
    assert (header.width, header.height) == (32, 16)
    assert np.abs(found[0].numpy().astype(int) - upright).max() < 40  # JPEG is not exact


def test_covering_crops_the_centre_and_scales() -> None:
    values = np.zeros((4, 12), np.uint8)
    values[:, 4:8] = 200  # the middle third
    found = decode(encoded(Image.fromarray(values)), Form(Kind.GREY, 2, 2), LIMIT)
    assert found.shape == (1, 2, 2)
    assert (found.float() - 200).abs().max() <= 60  # antialiasing reaches a little beyond the crop
    tall = decode(encoded(Image.fromarray(values.T.copy())), Form(Kind.GREY, 4, 4), LIMIT)
    assert (tall == 200).all()


def test_scaling_is_the_mean_of_what_it_covers() -> None:
    values = np.arange(16, dtype=np.uint8).reshape(4, 4) * 10
    found = decode(encoded(Image.fromarray(values)), Form(Kind.GREY, 1, 1), LIMIT)
    weights = np.array([0.25, 0.75, 0.75, 0.25])  # the triangle that Pillow's bilinear filter becomes when shrinking
    by_hand = (values * np.outer(weights, weights)).sum() / np.outer(weights, weights).sum()
    assert abs(found.item() - by_hand) <= 1


def test_a_large_jpeg_is_shrunk_while_decoding_to_nearly_the_same() -> None:
    y, x = np.mgrid[:512, :512]
    smooth = np.stack([x / 2, y / 2, (x + y) / 4], -1).astype(np.uint8)
    jpeg = decode(encoded(Image.fromarray(smooth), "JPEG", quality=95), Form(Kind.COLOUR, 32, 32), LIMIT)
    png = decode(encoded(Image.fromarray(smooth)), Form(Kind.COLOUR, 32, 32), LIMIT)
    assert (jpeg.int() - png.int()).abs().max() <= 4


def test_a_large_jpeg_that_lies_on_its_side_is_shrunk_alike() -> None:
    y, x = np.mgrid[:600, :200]
    smooth = np.stack([x, y / 3, (x + y) / 4], -1).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(np.ascontiguousarray(np.rot90(smooth)))
    jpeg = decode(encoded(stored, "JPEG", quality=95, exif=exif), Form(Kind.COLOUR, 90, 30), LIMIT)
    png = decode(encoded(Image.fromarray(smooth)), Form(Kind.COLOUR, 90, 30), LIMIT)
    assert (jpeg.int() - png.int()).abs().max() <= 4


def bad_reason(path: Path) -> str:
    with pytest.raises(BadImage) as caught:
        decode_as_is(path, LIMIT)
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"hello, I am text", "not an image in a known format"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
        (b"<!DOCTYPE html><p>404", "a web page"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not an image in a known format"),  # never handed to Ghostscript
        (b"SIMPLE  =                    T", "not an image in a known format"),
        (b"\x89PNG\r\n\x1a\n", "known format|damaged"),
    ],
)
def test_what_is_no_image_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(BadImage, match=reason):
        peek(path, LIMIT)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM"])
def test_a_file_cut_off_anywhere_is_read_or_refused_but_never_anything_else(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(0)
    content = encoded(Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)), kind)
    refused = 0
    for length in range(0, len(content), max(1, len(content) // 40)):
        try:
            decode_as_is(content[:length], LIMIT)
        except BadImage:
            refused += 1
    assert refused > 10
    with pytest.raises(BadImage):
        decode_as_is(content[: len(content) // 2], LIMIT)


def test_flipped_bytes_are_read_or_refused_but_never_anything_else() -> None:
    rng = np.random.default_rng(1)
    image = Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
    for kind in ("PNG", "JPEG", "GIF", "TIFF", "BMP", "PPM"):
        content = bytearray(encoded(image, kind))
        for position in rng.integers(0, min(len(content), 200), 60).tolist():
            damaged = bytearray(content)
            damaged[position] ^= 0xFF
            with quiet_decoding():
                try:
                    decode_as_is(bytes(damaged), LIMIT)
                except BadImage as problem:
                    assert str(problem)


def test_truncated_files_say_so(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(Image.new("RGB", (64, 64), "red"), "JPEG")[:-200])
    assert "truncated" in bad_reason(path) or "damaged" in bad_reason(path)
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_a_bomb_is_refused_at_once_and_without_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    Image.new("1", (12000, 12000)).save(path)
    before = (Image.MAX_IMAGE_PIXELS, list(warnings.filters))
    started = time.perf_counter()
    with quiet_decoding(), pytest.raises(BadImage, match="too large"):
        decode_as_is(path, LIMIT)
    assert time.perf_counter() - started < 0.2
    assert (Image.MAX_IMAGE_PIXELS, list(warnings.filters)) == before


def test_our_own_limit_is_below_that_of_pillow(tmp_path: Path) -> None:
    content = encoded(Image.new("L", (101, 100)))
    with pytest.raises(BadImage, match=r"too large: 101 x 100 pixels; at most 10,000"):
        peek(content, 10_000)
    assert peek(content, 10_100).width == 101


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert bad_reason(tmp_path / "pipe.png") == "not a regular file"
    assert bad_reason(tmp_path) == "not a regular file"
    assert bad_reason(tmp_path / "gone.png") == "does not exist"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded(Image.new("L", (2, 2))))
    path.chmod(0)
    assert bad_reason(path) == "not readable: permission denied"


def test_a_refused_permission_is_told_apart_from_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded(Image.new("L", (2, 2))))

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert bad_reason(path) == "not readable: permission denied"


def test_one_pixel_is_an_image() -> None:
    assert pixels(encoded(Image.new("L", (1, 1), 9))).tolist() == [[[9]]]
    assert decode(encoded(Image.new("L", (1, 1), 9)), Form(Kind.GREY, 4, 4), LIMIT).unique().tolist() == [9]


def test_damaged_exif_does_not_make_an_image_unusable() -> None:
    content = encoded(Image.new("RGB", (8, 8), "red"), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\xff")
    with quiet_decoding():
        assert pixels(content).shape == (3, 8, 8)
