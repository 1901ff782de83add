"""Parquet files with a column of encoded images: the form in which the Hugging Face Hub keeps image sets.

The image column holds {bytes, path} or bare bytes. Class names come from the `huggingface` metadata of the file. In
a folder, the split is what a file (train-00000-of-00001.parquet) or its folder (train/0000.parquet) is called.
Needs the extra `[parquet]`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hundredfold.data.decode import Content
from hundredfold.data.encoded import EncodedImage, image_set
from hundredfold.data.images import ImageSet, Source
from hundredfold.data.join import with_own_test
from hundredfold.data.labels import class_name, class_order, printable
from hundredfold.data.options import ReadOptions
from hundredfold.errors import DataError
from hundredfold.records import BadFile

IMAGE_COLUMNS = ("image", "img", "images", "picture", "photo", "jpg", "png")
LABEL_COLUMNS = ("label", "labels", "class", "fine_label", "category", "target", "y")
TRAIN = ("train", "training")
POOLS = ("unlabelled", "unlabeled", "unsupervised", "unsup", "extra")
TEST = ("test", "testing", "validation", "valid", "val")


def is_parquet_folder(folder: Path) -> bool:
    """Whether the folder, its `data/` or its only other sub-folder holds Parquet files."""
    return bool(_files(folder))


def read_parquet_file(path: Path, options: ReadOptions) -> Source:
    """The images of one file, in its order.

    Raises:
        DataError: pyarrow is missing, the file is damaged, or it has no usable images.
    """
    return Source(train=_read(str(path), [path], options))


def read_parquet_folder(folder: Path, options: ReadOptions, source: str = "") -> Source:
    """The images of a data set folder: its `train` files (and unlabelled ones), and its `test` or validation files.

    Args:
        folder: the data set, or one configuration of it.
        options: how to read.
        source: what to call it; the folder if empty.

    Raises:
        DataError: as `read_parquet_file`, or the folder holds several configurations.
    """
    splits: dict[str, list[Path]] = defaultdict(list)
    for path in _files(folder):
        splits[_split(path)].append(path)
    train_names = [name for name in splits if name in TRAIN + POOLS] or [name for name in splits if name not in TEST]
    test_name = next((name for name in TEST if name in splits), None) if train_names else None
    train_names = train_names or list(splits)
    train = _read(source or str(folder), [path for name in train_names for path in splits[name]], options)
    left_out = sorted(set(splits) - {*train_names, test_name})
    if left_out:
        note = f"splits left out, as neither train nor test: {', '.join(map(printable, left_out))}"
        train = replace(train, notes=(*train.notes, note))
    if test_name is None:
        return Source(train=train)
    return with_own_test(train, _read(source or str(folder), splits[test_name], options.for_more(train.size)))


def _files(folder: Path) -> list[Path]:
    """The Parquet files of a data set folder, sorted; of its sub-folders only where it has none itself."""
    for pattern in ("*.parquet", "data/*.parquet", "*/*.parquet", "*/*/*.parquet"):
        found = sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))
        configurations = sorted({_configuration(path, folder) for path in found} - {""})
        if len(configurations) > 1:
            raise DataError(
                f"{folder} holds several data sets",
                why=f"Parquet files in {', '.join(map(printable, configurations))}",
                fix=f"name one of them: {folder / configurations[0]}",
            )
        if found:
            return found
    return []


def _split(path: Path) -> str:
    name = path.stem.split("-")[0].split(".")[0].lower()
    return path.parent.name.lower() if name.isdecimal() else name


def _configuration(path: Path, folder: Path) -> str:
    """The folder of one configuration, "" for files that belong to the data set as a whole."""
    first = path.relative_to(folder).parts[0]
    return "" if first == path.name or first == "data" or first.lower() in TRAIN + POOLS + TEST else first


def _read(source: str, paths: Sequence[Path], options: ReadOptions) -> ImageSet:
    size = sum(path.stat().st_size for path in paths)
    if not options.fits(size):
        raise DataError(
            f"{source} holds {size / 2**30:.1f} GiB of encoded images, more than memory should hold",
            fix="raise the memory limit, or save the images as files in folders, which are read piece by piece",
        )
    items: list[EncodedImage] = []
    bad: list[BadFile] = []
    classes: tuple[str, ...] | None = None
    for path in paths:
        table, image_column, label_column, named = _table(path)
        classes = classes or named
        labels = table[label_column].to_pylist() if label_column else [None] * table.num_rows
        for row, (content, label) in enumerate(zip(_contents(table[image_column], path.parent), labels)):
            name = f"{path.name} row {row}"
            if content is None:
                bad.append(BadFile(path=name, reason="no image in this row"))
            else:
                items.append(EncodedImage(name, content, _called(label, named)))
    if classes is not None:  # several files may name their classes in different orders
        classes = (*classes, *class_order({item.label for item in items if item.label is not None} - set(classes)))
    return image_set(source, items, options, classes=classes, bad_files=bad)


def _table(path: Path) -> tuple[Any, str, str | None, tuple[str, ...] | None]:
    """The needed columns of a file, what they are called, and the class names it gives."""
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as problem:
        raise DataError(
            f"reading {path} needs pyarrow", why=str(problem), fix="pip install 'hundredfold[parquet]'"
        ) from problem
    try:
        file = parquet.ParquetFile(path)
        features = _features(file.schema_arrow.metadata or {})
        columns = {field.name: field.type for field in file.schema_arrow}
        image = _image_column(columns, features)
        if image is None:
            raise DataError(
                f"{path} has no column of encoded images",
                why=f"its columns: {', '.join(f'{printable(name)} {kind}' for name, kind in columns.items())[:300]}",
                fix="possible: a column of {bytes, path} or of bare bytes, each a PNG, JPEG, ...",
            )
        label = _label_column(columns, features)
        table = file.read(columns=[image, label] if label else [image])
    except (ArrowException, OSError, ValueError) as problem:
        raise DataError(
            f"cannot read {path}", why=printable(str(problem))[:200], fix="fetch the file again"
        ) from problem
    names = features.get(label or "", {}).get("names")
    return table, image, label, tuple(printable(str(name)) for name in names) if isinstance(names, list) else None


def _features(metadata: dict[bytes, bytes]) -> dict[str, dict[str, Any]]:
    """What the `huggingface` metadata say of each column: {"label": {"_type": "ClassLabel", "names": [...]}}."""
    try:
        found = json.loads(metadata[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    return {name: kind for name, kind in found.items() if isinstance(kind, dict)} if isinstance(found, dict) else {}


def _image_column(columns: dict[str, Any], features: dict[str, dict[str, Any]]) -> str | None:
    def holds_images(kind: Any) -> bool:
        names = [kind.field(number).name for number in range(kind.num_fields)]
        return "bytes" in names or str(kind) in ("binary", "large_binary", "binary_view")

    declared = [name for name in columns if features.get(name, {}).get("_type") == "Image"]
    usual = [name for name in IMAGE_COLUMNS if name in columns]
    return next((name for name in (*declared, *usual, *columns) if holds_images(columns[name])), None)


def _label_column(columns: dict[str, Any], features: dict[str, dict[str, Any]]) -> str | None:
    declared = [name for name in columns if features.get(name, {}).get("_type") == "ClassLabel"]
    usual = [name for name in LABEL_COLUMNS if name in columns]
    return next((name for name in usual if name in declared), None) or next(iter((*declared, *usual)), None)


def _contents(column: Any, folder: Path) -> Iterator[Content | None]:
    """The bytes of each row without copying them, or the file that it names."""
    for chunk in column.chunks:
        is_struct = chunk.type.num_fields > 0
        has_path = is_struct and any(chunk.type.field(number).name == "path" for number in range(chunk.type.num_fields))
        encoded = chunk.field("bytes") if is_struct else chunk
        paths = chunk.field("path") if has_path else None
        for row in range(len(chunk)):
            if encoded[row].is_valid:
                yield memoryview(encoded[row].as_buffer())
            elif paths is not None and paths[row].is_valid:
                yield folder / paths[row].as_py()
            else:
                yield None


def _called(label: object, names: tuple[str, ...] | None) -> str | None:
    if names is not None and isinstance(label, int) and 0 <= label < len(names):
        return names[label]
    return class_name(label)
