"""A classifier that learnt from all labels of a source, as the folder of a run, for a transfer to start from.

    python benchmarks/source_classifier.py SOURCE FOLDER [--steps 800]

`hundredfold run` is for few labels; this is for thousands. The folder is what `--source-classifier` takes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from hundredfold.data.channel_statistics import channel_statistics
from hundredfold.data.read import read
from hundredfold.encoders.build import encoder as new_encoder
from hundredfold.evaluate.features import features
from hundredfold.evaluate.learner import of_network
from hundredfold.evaluate.supervised import FinetuneSettings, train_classifier
from hundredfold.studies.hand_over import classifier_of, save_classifier
from hundredfold.train.engine import choose_engine
from hundredfold.views.chain import Chain

SEED = 0


def main(source: str, folder: str, steps: int) -> None:
    """Trains, says how often it is right on the source's test images if there are any, and writes the folder."""
    found = read(source)
    images, engine = found.train, choose_engine()
    index = images.labelled()
    mean, std = channel_statistics(images, index, seed=SEED)
    encoder = new_encoder("convnet", channels=images.channels, size=images.size, mean=mean, std=std, seed=SEED)
    method = train_classifier(
        encoder,
        images,
        index,
        len(images.classes),
        settings=FinetuneSettings(steps=steps, batch_size=128),
        lr=1e-3,
        chain=Chain(()),
        engine=engine,
        seed=SEED,
    )
    learnt = of_network(method)
    if found.test is not None:
        known = found.test.labelled()
        answers = learnt.head.probabilities(features(method.encoder, found.test, known, engine)).argmax(1)
        print(f"right for {100 * float((answers == found.test.labels[known]).float().mean()):.1f} % of test images")
    save_classifier(classifier_of(learnt, images.classes), Path(folder) / "classifier")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("folder")
    parser.add_argument("--steps", type=int, default=800)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    main(arguments.source, arguments.folder, arguments.steps)
