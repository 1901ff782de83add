"""What is shown of a generator that was judged."""

import dataclasses

import torch

from hundredfold.exhibit_records import Exhibit
from hundredfold.records import from_json, to_json
from hundredfold.studies.generator_exhibits import generator_exhibits
from hundredfold.transfer.generator_quality import Judged
from hundredfold.transfer_records import GeneratorQuality

QUALITY = GeneratorQuality(
    generator="toy",
    classes=("cat", "dog", "cow"),
    samples=2000,
    consistency=0.913,
    consistency_by_class=(0.95, 0.85, 0.94),
    hard_response=0.12,
    soft_response=0.034,
    sentences=("It is a toy.", "It draws pets."),
)
SAMPLES = torch.arange(24).view(24, 1, 1, 1).expand(24, 1, 4, 4).to(torch.uint8)
NONE = torch.empty(0, 1, 4, 4, dtype=torch.uint8)
ALONE = Judged(quality=QUALITY, samples=SAMPLES, closest_samples=NONE, closest_training=NONE)
BESIDE_REAL = dataclasses.replace(
    ALONE,
    quality=dataclasses.replace(
        QUALITY,
        classification_accuracy=0.801,
        real_accuracy=0.947,
        test_images=500,
        frechet=12.345,
        frechet_real=0.0,
        frechet_features="the source classifier",
        memorised=0.0,
        nearest_ratio=0.987,
    ),
    closest_samples=SAMPLES[:8],
    closest_training=SAMPLES[8:16],
)


def test_samples_of_each_class_stand_in_a_row_with_its_name() -> None:
    ((exhibit, pictures),) = generator_exhibits(ALONE)
    assert exhibit.name == "samples" and exhibit.sentences == QUALITY.sentences
    assert [row.title for row in exhibit.rows] == ["cat", "dog", "cow"]
    shown = [pictures[row.key][:, 0, 0, 0].tolist() for row in exhibit.rows]
    assert shown == [list(range(8)), list(range(8, 16)), list(range(16, 24))]
    assert from_json(Exhibit, to_json(exhibit)) == exhibit


def test_the_table_has_the_figures_that_there_are() -> None:
    ((alone, _),) = generator_exhibits(ALONE)
    (table,) = alone.tables
    assert [value for _, value in table.rows] == ["91.3 %", "85.0 %", "12.0 %", "3.4 %"]
    assert "dog" in table.rows[1][0], "the worst class is named"
    (table,) = generator_exhibits(BESIDE_REAL)[0][0].tables
    assert [value for _, value in table.rows[4:]] == ["80.1 %", "94.7 %", "12.3", "0", "0.0 %", "0.987"]
    assert all(len(row) == len(table.header) for row in table.rows)


def test_the_closest_pairs_stand_above_each_other() -> None:
    exhibit, pictures = generator_exhibits(BESIDE_REAL)[1]
    assert exhibit.name == "memorised"
    above, below = (pictures[row.key] for row in exhibit.rows)
    assert above.equal(SAMPLES[:8]) and below.equal(SAMPLES[8:16])
    assert from_json(Exhibit, to_json(exhibit)) == exhibit


def test_of_many_classes_the_first_are_shown() -> None:
    names = tuple(f"class {place}" for place in range(30))
    quality = dataclasses.replace(QUALITY, classes=names, consistency_by_class=(1.0,) * 30)
    images = torch.zeros(240, 1, 2, 2, dtype=torch.uint8)
    ((exhibit, pictures),) = generator_exhibits(dataclasses.replace(ALONE, quality=quality, samples=images))
    assert len(exhibit.rows) == len(pictures) == 20
    assert exhibit.sentences[-1] == "The first 20 of 30 classes are shown."
