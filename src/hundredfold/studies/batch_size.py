"""Study: what small batches cost, and how much of it reducing the variance of negative similarities gives back.

Source: Lee, Lim, Lee & Sohn, "On the Similarities of Embeddings in Contrastive Learning", ICML 2025 (arXiv
2506.09781): variance of negative similarity by batch size (table 1), accuracy by temperature (figure 3) and by batch
size (figure 4), each with and without the added loss. Here on any data, over several seeds.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hundredfold.evaluate.paired import paired_difference
from hundredfold.settings import Table, merge
from hundredfold.studies.job import Request, Surroundings
from hundredfold.studies.run_settings import RunSettings
from hundredfold.studies.study import Design, Variant, accuracy, carry_out_study
from hundredfold.study_records import StudyCell, StudyResult
from hundredfold.train.plan import Plan

MODEL = "linear_probe"
BATCH, WEIGHT, TEMPERATURE, SEED = "plan.batch_size", "variance_reduction", "method_settings.temperature", "seed"
BATCH_SIZES = (16, 32, 64, 128, 256)
WEIGHTS = (0.0, 3.0, 30.0)
SEEDS = 3
RATE_OF = 256  # the batch size that the plan's learning rate is meant for


def study_batch_size(
    source: Any,
    *,
    batch_sizes: Sequence[int] | None = None,
    weights: Sequence[float] | None = None,
    temperatures: Sequence[float] | None = None,
    seeds: int | None = None,
    out: str | Path | None = None,
    config: str | Path | None = None,
    overrides: Sequence[str] = (),
    resume: bool = False,
    overwrite: bool = False,
    surroundings: Surroundings | None = None,
    **settings: Any,
) -> StudyResult:
    """Pre-trains at each batch size with each weight of variance reduction, temperature and seed.

    The learning rate is that of a batch of 256, and is scaled with the batch: by the square root of the ratio for
    AdamW (Malladi et al. 2022), by the ratio for SGD and LARS (Goyal et al. 2017).

    Args:
        source: a SOURCE, or arrays.
        batch_sizes: images in a step, each >= 2. [16, 32, 64, 128, 256]
        weights: of variance reduction, each >= 0. [0, 3, 30]
        temperatures: of the method's loss; None leaves the method's own.
        seeds: how many runs of each, from the seed of the settings on; draws of labels differ with it too. [3]
        out, config, overrides, resume, overwrite, surroundings, settings: as `run`; they hold for every cell.

    Raises:
        SettingsError: a method without temperature where temperatures are asked for, or what `run` raises.
    """
    request = Request(
        out=out,
        config=config,
        overrides=overrides,
        resume=resume,
        overwrite=overwrite,
        surroundings=surroundings,
        settings=settings,
    )
    asked = design(batch_sizes=batch_sizes, weights=weights, temperatures=temperatures, seeds=seeds)
    return carry_out_study(asked, source, request)


def design(
    *,
    batch_sizes: Sequence[int] | None = None,
    weights: Sequence[float] | None = None,
    temperatures: Sequence[float] | None = None,
    seeds: int | None = None,
) -> Design:
    """The study over these lists, as `study_batch_size` describes them."""
    parameters = {
        "batch_sizes": None if batch_sizes is None else list(batch_sizes),
        "weights": None if weights is None else [float(weight) for weight in weights],
        "temperatures": None if temperatures is None else [float(value) for value in temperatures],
        "seeds": seeds,
    }
    return Design(name="batch-size", parameters=parameters, variants=variants, verdict=verdict)


def variants(parameters: Mapping[str, Any], given: Table) -> list[Variant]:
    """The cells, seed by seed, so that a study that is stopped has whole rounds."""
    sizes = parameters["batch_sizes"] if parameters["batch_sizes"] is not None else BATCH_SIZES
    weights = parameters["weights"] if parameters["weights"] is not None else WEIGHTS
    seeds = parameters["seeds"] if parameters["seeds"] is not None else SEEDS
    temperatures = parameters["temperatures"] or [None]
    settings = merge(RunSettings(), given)
    grid = itertools.product(range(settings.seed, settings.seed + seeds), temperatures, weights, sizes)
    return [_variant(settings, *place) for place in dict.fromkeys(grid)]


def verdict(study: StudyResult) -> tuple[str, ...]:
    """What the batch size does to negative similarities and to accuracy, and what variance reduction changes."""
    done = [cell for cell in study.cells if cell.similarity]
    sizes = sorted({cell.settings[BATCH] for cell in done})
    weights = sorted({cell.settings[WEIGHT] for cell in done})
    if not sizes:
        return ("No cell finished.",)
    sentences = []
    for weight in weights:
        sentences += _fall(done, sizes, weight)
    for weight in weights:
        if weight and 0.0 in weights:
            sentences += [*_lower_variance(done, sizes, weight), *_given_back(study, done, sizes, weight)]
    if 0.0 in weights:
        sentences += _cost(study, done, sizes)
    sentences += [f"{cell.name} did not finish: {cell.failure}." for cell in study.cells if cell.failure]
    return tuple(sentences)


def _variant(settings: RunSettings, seed: int, temperature: float | None, weight: float, size: int) -> Variant:
    own: dict[str, Any] = {BATCH: size, WEIGHT: weight}
    if temperature is not None:
        own[TEMPERATURE] = temperature
    name = "-".join([f"batch-{size}", f"weight-{weight:g}", *([f"t-{temperature:g}"] if temperature else [])])
    return Variant(name=f"{name}-seed-{seed}", settings={**own, SEED: seed, "plan.lr": _rate(settings.plan, size)})


def _rate(plan: Plan, size: int) -> float:
    if size < 1:
        return plan.lr  # refused for its size
    ratio = size / RATE_OF
    return plan.lr * (math.sqrt(ratio) if plan.optimizer == "adamw" else ratio)


def _fall(cells: Sequence[StudyCell], sizes: Sequence[int], weight: float) -> list[str]:
    levels = [_mean(_variances(cells, size, weight)) for size in sizes]
    if len(sizes) < 2 or None in levels:
        return []
    shown = ", ".join(f"{level:.3f} at {size}" for size, level in zip(sizes, levels, strict=True))
    falls = all(later < earlier for earlier, later in itertools.pairwise(map(float, filter(None, levels))))
    with_what = "Without variance reduction" if weight == 0 else f"With variance reduction {weight:g}"
    does = "falls as the batch grows" if falls else "does not fall steadily as the batch grows"
    return [f"{with_what} the variance of negative similarity {does}: {shown}."]


def _lower_variance(cells: Sequence[StudyCell], sizes: Sequence[int], weight: float) -> list[str]:
    pairs = [(size, _mean(_variances(cells, size, 0.0)), _mean(_variances(cells, size, weight))) for size in sizes]
    higher = [size for size, plain, reduced in pairs if plain is not None and reduced is not None and reduced >= plain]
    if higher:
        return [f"Variance reduction {weight:g} does not lower it at batch size {', '.join(map(str, higher))}."]
    return [f"Variance reduction {weight:g} lowers it at every batch size."]


def _given_back(study: StudyResult, cells: Sequence[StudyCell], sizes: Sequence[int], weight: float) -> list[str]:
    """What the weight adds at each batch size, paired by seed and temperature."""
    sentences = []
    for size in sizes:
        plain, reduced = _accuracies(study, cells, size, 0.0), _accuracies(study, cells, size, weight)
        both = sorted(plain.keys() & reduced.keys())
        if not both:
            continue
        found = paired_difference([100 * plain[key] for key in both], [100 * reduced[key] for key in both])
        sentences.append(f"{_points(found.mean)}{_between(found.low, found.high)} at {size}")
    return [f"It changes the probe by, in points: {'; '.join(sentences)}."] if sentences else []


def _cost(study: StudyResult, cells: Sequence[StudyCell], sizes: Sequence[int]) -> list[str]:
    """What the smallest batch costs against the best one, paired by seed and temperature, without the added loss."""
    known = {size: _accuracies(study, cells, size, 0.0) for size in sizes}
    means = {size: _mean(list(values.values())) or 0.0 for size, values in known.items() if values}
    if len(means) < 2:
        return []
    best, small = max(means, key=lambda size: means[size]), min(means)
    if best == small:
        return [f"The smallest batch, {small}, is the best here: small batches cost nothing on these data."]
    both = sorted(known[best].keys() & known[small].keys())
    if not both:
        return []
    found = paired_difference([100 * known[best][key] for key in both], [100 * known[small][key] for key in both])
    means_what = "small batches hurt here" if found.clear else "within what seeds do"
    change = f"{_points(found.mean)}{_between(found.low, found.high)} points"
    return [f"A batch of {small} against one of {best}, without variance reduction: {change}, {means_what}."]


def _between(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" ({_points(low)} to {_points(high)})"


def _points(value: float) -> str:
    """With its sign; what rounds to nothing is +0.0."""
    return f"{round(value, 1) + 0.0:+.1f}"


def _variances(cells: Sequence[StudyCell], size: int, weight: float) -> list[float]:
    return [
        cell.similarity.negative_variance
        for cell in cells
        if cell.similarity and cell.settings[BATCH] == size and cell.settings[WEIGHT] == weight
    ]


def _accuracies(
    study: StudyResult, cells: Sequence[StudyCell], size: int, weight: float
) -> dict[tuple[float, int], float]:
    """Probe accuracy by temperature and seed."""
    found = {
        (cell.settings.get(TEMPERATURE, 0.0), cell.settings[SEED]): accuracy(cell.summary, MODEL, study.labels)
        for cell in cells
        if cell.settings[BATCH] == size and cell.settings[WEIGHT] == weight
    }
    return {key: value for key, value in found.items() if value is not None}


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
