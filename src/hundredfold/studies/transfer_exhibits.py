"""What the cascade makes of the target: images, what the source sees in them, and the pseudo samples drawn from it."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from hundredfold.data.images import as_float
from hundredfold.exhibit_records import Exhibit, PictureRow
from hundredfold.random import generator
from hundredfold.studies.transfer_prepare import Ready
from hundredfold.transfer.pseudo_semi_supervised import Cascade

SHOWN = 12  # images of the target
NAMED = 2  # classes below an image
LEAST = 0.05  # share from which a class is named


def cascade_exhibit(ready: Ready) -> tuple[Exhibit, dict[str, Tensor]]:
    """A row of labelled target images, and rows of pseudo samples of the same images, by temperature."""
    prepared, settings = ready.prepared, ready.request.settings
    index = prepared.split.draws[0][:SHOWN]
    images = as_float(prepared.engine.images(prepared.images.take(index)))
    names = [prepared.images.classes[label] for label in prepared.images.labels[index].tolist()]
    rows = [PictureRow(title="images of the target", key="target", captions=tuple(names))]
    pictures = {"target": images.cpu()}
    for place, temperature in enumerate(sorted(set(settings.temperatures))):
        cascade = Cascade(ready.classifier, ready.generator, replace(settings.cascade, temperature=temperature))
        conditions = cascade.conditions(images, generator(prepared.settings.seed, "cascade"))
        key = f"samples{place}"
        pictures[key] = ready.generator.sample(conditions, generator(prepared.settings.seed, "cascade noise")).cpu()
        captions = tuple(_mixture(row, ready.classifier.classes) for row in conditions)
        rows.append(PictureRow(title=f"pseudo samples at temperature {temperature:g}", key=key, captions=captions))
    exhibit = Exhibit(
        name="cascade",
        title="What the source makes of the target",
        sentences=(
            "Above: labelled images of the target. Below each: what the source's classifier takes it for, and an image "
            "that the generator draws of that mixture of classes.",
        ),
        rows=tuple(rows),
    )
    return exhibit, pictures


def _mixture(condition: Tensor, classes: tuple[str, ...]) -> str:
    """The likeliest classes in words, "62 % 3, 30 % 2"."""
    shares, places = condition.topk(min(NAMED, len(condition)))
    told = [(share, classes[place]) for share, place in zip(shares.tolist(), places.tolist()) if share >= LEAST]
    return ", ".join(f"{share:.0%} {name}".replace("%", " %") for share, name in told)
