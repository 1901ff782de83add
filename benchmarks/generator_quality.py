"""Which of two generators of the same source teaches more: both judged on as many images of theirs.

python benchmarks/generator_quality.py CLASSIFIER SOURCE TEST RUN... --images 3000 --to benchmarks/NAME.json
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import torch

from hundredfold.data.read import read
from hundredfold.records import to_plain
from hundredfold.studies.run_folder import processor, versions
from hundredfold.studies.source_artefacts import load_source_classifier, load_source_generator
from hundredfold.train.engine import choose_engine
from hundredfold.transfer.classification_accuracy_score import ScoreSettings
from hundredfold.transfer.generator_quality import QualitySettings, judge
from hundredfold.transfer.real_source import RealSource

SEED = 0


def main(classifier: str, source: str, test: str, runs: list[str], images: int, to: str) -> None:
    """Judges each and writes the record."""
    train, held_out = read(source).train, read(test).train
    real = RealSource(train=train, train_index=train.labelled(), test=held_out, test_index=held_out.labelled())
    settings = QualitySettings(samples=1000, score=ScoreSettings(images=images))
    engine, found = choose_engine(), []
    for run in runs:
        began = time.monotonic()
        generator = load_source_generator(Path(run))
        judged = judge(
            generator, load_source_classifier(Path(classifier)), real=real, settings=settings, engine=engine, seed=SEED
        )
        found.append({**to_plain(judged.quality), "seconds": round(time.monotonic() - began)})
        print(generator.name, *judged.quality.sentences, sep="\n  ", flush=True)
    machine = {"processor": processor(), "cores": os.cpu_count(), "threads": torch.get_num_threads()}
    content = {"images": images, "generators": found, "versions": versions(), "machine": machine}
    Path(to).write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("classifier", "source", "test"):
        parser.add_argument(name)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--to", required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    main(arguments.classifier, arguments.source, arguments.test, arguments.runs, arguments.images, arguments.to)
