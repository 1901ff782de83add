"""Propagation against a dense solution of its equations by loops, its cross-validation against really doing it."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from hundredfold.evaluate import label_propagation
from hundredfold.evaluate.cross_validation import stratified_folds
from hundredfold.evaluate.label_propagation import (
    ALPHA,
    GAMMA,
    NEIGHBOURS,
    NeighbourGraph,
    neighbour_graph,
    propagate,
    shares,
    spread,
)

CLASSES = 3
KNOWN = torch.tensor([0, 1, 2, 5, 7, 9, 12, 14, 16])
LABELS = torch.tensor([0, 1, 2, 2, 1, 0, 0, 2, 1])  # as many of each class


def blobs(n: int = 30, d: int = 4, noise: float = 0.8) -> tuple[torch.Tensor, torch.Tensor]:
    """Features [n, d] around three centres, and their classes."""
    rng = torch.Generator().manual_seed(3)
    centres = 2 * torch.randn(CLASSES, d, generator=rng)
    truth = torch.arange(n) % CLASSES
    return centres[truth] + noise * torch.randn(n, d, generator=rng), truth


def by_loops(features: torch.Tensor, k: int) -> list[list[float]]:
    """S of the paper: W_ij = similarity ^ gamma where either is among the other's k nearest, scaled by both degrees."""
    rows = features.double().tolist()
    n = len(rows)
    length = [sum(x * x for x in row) ** 0.5 for row in rows]
    cosine = [
        [sum(a * b for a, b in zip(rows[i], rows[j], strict=True)) / (length[i] * length[j]) for j in range(n)]
        for i in range(n)
    ]
    near = [sorted((j for j in range(n) if j != i), key=lambda j, i=i: -cosine[i][j])[:k] for i in range(n)]
    w = [[max(cosine[i][j], 0.0) ** GAMMA if j in near[i] or i in near[j] else 0.0 for j in range(n)] for i in range(n)]
    degree = [sum(row) for row in w]
    return [
        [w[i][j] / (degree[i] * degree[j]) ** 0.5 if degree[i] > 0 and degree[j] > 0 else 0.0 for j in range(n)]
        for i in range(n)
    ]


def solved(s: list[list[float]], right: list[list[float]], alpha: float) -> list[list[float]]:
    """F of (I - alpha S) F = (1 - alpha) Y by Gaussian elimination."""
    n = len(s)
    rows = [
        [float(i == j) - alpha * s[i][j] for j in range(n)] + [(1 - alpha) * value for value in right[i]]
        for i in range(n)
    ]
    for pivot in range(n):
        largest = max(range(pivot, n), key=lambda row: abs(rows[row][pivot]))
        rows[pivot], rows[largest] = rows[largest], rows[pivot]
        for row in range(n):
            if row != pivot:
                factor = rows[row][pivot] / rows[pivot][pivot]
                rows[row] = [a - factor * b for a, b in zip(rows[row], rows[pivot], strict=True)]
    return [[value / rows[i][i] for value in rows[i][n:]] for i in range(n)]


def one_hot(n: int, known: torch.Tensor, labels: torch.Tensor, classes: int) -> list[list[float]]:
    y = [[0.0] * classes for _ in range(n)]
    for place, label in zip(known.tolist(), labels.tolist(), strict=True):
        y[place][label] = 1.0
    return y


@pytest.mark.parametrize("k", [3, 10])
def test_the_graph_is_that_of_the_loops(k: int) -> None:
    features, _ = blobs()
    graph = neighbour_graph(features, neighbours=k)
    found = graph.weights.toarray()
    np.testing.assert_allclose(found, by_loops(features, k), atol=1e-6)
    np.testing.assert_allclose(found, found.T, atol=1e-12)
    eigenvalues = np.linalg.eigvalsh(found)
    assert eigenvalues.min() >= -1 - 1e-9 and eigenvalues.max() == pytest.approx(1)
    torch.testing.assert_close(graph.features, functional.normalize(features, dim=1))


@pytest.mark.parametrize("alpha", [0.5, 0.99])
@pytest.mark.parametrize("columns", [1, 2, 256])  # solved together: fewer than the classes, and more
def test_propagation_is_the_solution_of_its_equations(
    monkeypatch: pytest.MonkeyPatch, alpha: float, columns: int
) -> None:
    monkeypatch.setattr(label_propagation, "COLUMNS", columns)
    features, _ = blobs()
    found = propagate(neighbour_graph(features), KNOWN, LABELS, CLASSES, seed=0, alpha=alpha)
    wanted = torch.tensor(solved(by_loops(features, NEIGHBOURS), one_hot(30, KNOWN, LABELS, CLASSES), alpha))
    torch.testing.assert_close(found.mass, wanted, atol=2e-5, rtol=1e-3)
    torch.testing.assert_close(found.distributions(), wanted / wanted.sum(1, keepdim=True), atol=1e-3, rtol=0)


def test_many_classes_are_solved_in_blocks() -> None:
    """More classes than one block of columns holds, most without a label."""
    classes = label_propagation.COLUMNS + 3
    features, _ = blobs()
    graph, labels = neighbour_graph(features), LABELS + classes - CLASSES
    found = spread(graph, KNOWN, labels, classes)
    assert found.shape == (30, classes) and not found[:, :-CLASSES].any()
    torch.testing.assert_close(found[:, -CLASSES:], spread(graph, KNOWN, LABELS, CLASSES), atol=1e-5, rtol=1e-4)


def test_a_single_column() -> None:
    features, _ = blobs()
    found = spread(neighbour_graph(features), KNOWN, torch.zeros_like(LABELS), 1)
    wanted = solved(by_loops(features, NEIGHBOURS), one_hot(30, KNOWN, torch.zeros_like(LABELS), 1), ALPHA)
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float64), atol=2e-5, rtol=1e-3)


def test_cross_validation_is_propagating_without_each_fold() -> None:
    features, _ = blobs(noise=2.0)  # so much that some labels are not found again
    graph = neighbour_graph(features)
    found = propagate(graph, KNOWN, LABELS, CLASSES, seed=4)
    folds = stratified_folds(LABELS, seed=4)
    assert found.held_out is not None and len(folds) == 3
    right = 0
    for kept, out in folds:
        other = shares(spread(graph, KNOWN[kept], LABELS[kept], CLASSES).float())[KNOWN[out]]
        torch.testing.assert_close(found.held_out[out], other, atol=1e-3, rtol=0)
        right += int((other.argmax(1) == LABELS[out]).sum())
    assert found.cross_validation == pytest.approx(right / len(LABELS)) and 0 < right < len(LABELS)


def test_each_class_gives_off_as_much_in_all() -> None:
    """Six labels of one class, two and one of the others: a label counts n / (classes with a label * its class's)."""
    features, _ = blobs()
    labels = torch.tensor([0, 0, 2, 0, 0, 0, 0, 2, 1])
    found = propagate(neighbour_graph(features), KNOWN, labels, CLASSES + 1, seed=0)
    right = one_hot(30, KNOWN, labels, CLASSES + 1)
    for row in right:
        for label, count in ((0, 6), (1, 1), (2, 2)):
            row[label] *= 9 / (3 * count)
    wanted = torch.tensor(solved(by_loops(features, NEIGHBOURS), right, ALPHA))
    torch.testing.assert_close(found.mass, wanted, atol=5e-5, rtol=1e-3)
    assert not found.mass[:, 3].any(), "nothing of a class without a label"


def test_without_a_second_label_of_a_class_there_is_no_cross_validation() -> None:
    features, _ = blobs()
    graph = neighbour_graph(features)
    found = propagate(graph, KNOWN[:3], LABELS[:3], CLASSES, seed=0)
    assert found.held_out is None and found.cross_validation is None
    torch.testing.assert_close(found.mass, spread(graph, KNOWN[:3], LABELS[:3], CLASSES).float())


def test_reach_is_measured_by_what_labels_get_from_the_others() -> None:
    """1 is the median of what the labels of the other folds bring to a labelled image, were they as many as all."""
    features, _ = blobs()
    graph = neighbour_graph(features)
    found = propagate(graph, KNOWN, LABELS, CLASSES, seed=4)
    got = {}
    for kept, out in stratified_folds(LABELS, seed=4):
        sent = spread(graph, KNOWN[kept], LABELS[kept], CLASSES).sum(1)
        got |= {place: 3 / 2 * float(sent[KNOWN[place]]) for place in out.tolist()}  # two thirds of the labels sent it
    medians = []
    for label in range(CLASSES):
        own = sorted(value for place, value in got.items() if int(LABELS[place]) == label)
        medians.append(own[(len(own) - 1) // 2])
    assert found.usual.tolist() == pytest.approx(medians, rel=1e-3)
    by_class = torch.tensor(medians)[found.mass.argmax(1)]
    torch.testing.assert_close(found.reach(), found.mass.sum(1) / by_class, atol=1e-3, rtol=1e-3)
    assert torch.equal(found.apart(), found.reach() < label_propagation.APART)
    few = propagate(graph, KNOWN[:3], LABELS[:3], CLASSES, seed=4)  # no folds: of all images that a class gets
    for label in range(CLASSES):
        own = few.mass.sum(1)[few.mass.argmax(1) == label]
        expected = own.median() if len(own) else few.mass.sum(1).median()
        assert float(few.usual[label]) == pytest.approx(float(expected), rel=1e-4)


def test_a_common_class_is_not_apart_because_a_rare_one_has_as_many_labels() -> None:
    rng = torch.Generator().manual_seed(0)
    centres = 5 * torch.eye(6)[:2]
    features = torch.cat(
        [centres[0] + torch.randn(400, 6, generator=rng), centres[1] + torch.randn(12, 6, generator=rng)]
    )
    known = torch.cat([torch.arange(10), torch.arange(400, 410)])
    found = propagate(neighbour_graph(features), known, torch.arange(2).repeat_interleave(10), 2, seed=0)
    assert found.usual[1] > 3 * found.usual[0], "the rare class is reached by more"
    assert found.apart().float().mean() < 0.2


def test_images_of_no_labelled_kind_are_apart() -> None:
    rng = torch.Generator().manual_seed(0)
    centres = 3 * torch.eye(4)
    truth = torch.arange(120) % 4  # the last kind has no label
    features = centres[truth] + 0.5 * torch.randn(120, 4, generator=rng)
    known = (truth < 3).nonzero().squeeze(1)[:15]
    found = propagate(neighbour_graph(features), known, truth[known], 4, seed=0)
    assert found.apart()[truth == 3].float().mean() > 0.8
    assert found.apart()[truth < 3].float().mean() < 0.1


def test_where_labels_are_islands_nothing_is_measured_and_nothing_breaks() -> None:
    """No label gets anything from the others: what no label reaches is apart, and nothing else."""
    features = torch.eye(3).repeat_interleave(4, dim=0)
    graph = neighbour_graph(features, neighbours=3)
    found = propagate(graph, torch.tensor([0, 4]), torch.tensor([0, 1]), CLASSES, seed=0)
    assert found.reach().isfinite().all() and found.apart().tolist() == [False] * 8 + [True] * 4
    found = propagate(graph, torch.tensor([0, 4, 1, 5]), torch.tensor([0, 1, 1, 0]), CLASSES, seed=0)
    assert found.reach().isfinite().all() and found.apart().tolist() == [False] * 8 + [True] * 4


def test_where_no_label_reaches_every_class_is_as_likely() -> None:
    """Two groups at a right angle, labels in one of them."""
    angles = torch.tensor([0.0, 0.01, 0.02, 0.03])
    one = torch.stack([angles.cos(), angles.sin(), torch.zeros(4)], dim=1)
    features = torch.cat([one, torch.tensor([[0.0, 0.0, 1.0]]).expand(4, -1)])
    graph = neighbour_graph(features, neighbours=3)
    found = propagate(graph, torch.tensor([0, 3]), torch.tensor([0, 2]), CLASSES, seed=0)
    assert (found.mass[:4, [0, 2]] > 0).all() and not found.mass[4:].any()
    torch.testing.assert_close(found.distributions()[4:], torch.full((4, CLASSES), 1 / CLASSES))
    torch.testing.assert_close(found.distributions().sum(1), torch.ones(8))


def test_an_image_without_any_similarity_breaks_nothing() -> None:
    """A feature vector of zeros: a degree of zero, by which nothing may be divided."""
    features, _ = blobs()
    found = propagate(
        neighbour_graph(torch.cat([features, torch.zeros(1, 4)])), KNOWN, LABELS, CLASSES, seed=0
    ).distributions()
    assert found.isfinite().all()
    torch.testing.assert_close(found[-1], torch.full((CLASSES,), 1 / CLASSES))
    alone = propagate(neighbour_graph(features), KNOWN, LABELS, CLASSES, seed=0)
    torch.testing.assert_close(found[:-1], alone.distributions(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_more_neighbours_than_images(n: int) -> None:
    features = torch.rand(n, 4, generator=torch.Generator().manual_seed(0))
    graph = neighbour_graph(features)
    np.testing.assert_allclose(graph.weights.toarray(), by_loops(features, n - 1), atol=1e-6)
    found = propagate(graph, torch.tensor([0, 1]), torch.tensor([0, 1]), 2, seed=0, alpha=0.5)
    assert found.distributions()[:2].argmax(1).tolist() == [0, 1]
    torch.testing.assert_close(found.neighbours().probabilities(features).sum(1), torch.ones(n))


def test_duplicates_of_one_image_get_the_same() -> None:
    """More copies of an image than it has neighbours: they have none but each other."""
    features, _ = blobs()
    copies = features[:1].expand(2 * NEIGHBOURS, -1)
    graph = neighbour_graph(torch.cat([features, copies]))
    assert np.isfinite(graph.weights.toarray()).all()
    found = propagate(graph, KNOWN, LABELS, CLASSES, seed=0).distributions()
    torch.testing.assert_close(found.sum(1), torch.ones(50))
    together = torch.cat([features[:1].expand(4, -1), features])  # fewer than neighbours: joined to the others too
    known = torch.cat([torch.tensor([0]), KNOWN[1:] + 4])
    found = propagate(neighbour_graph(together), known, LABELS, CLASSES, seed=0).distributions()
    assert found[:5].argmax(1).tolist() == [int(LABELS[0])] * 5


def test_two_labels_of_one_image_that_disagree_are_both_heard() -> None:
    features, _ = blobs()
    twice = torch.cat([features, features[:1]])
    known, labels = torch.tensor([0, 30]), torch.tensor([0, 1])
    found = propagate(neighbour_graph(twice), known, labels, 2, seed=0)
    assert found.distributions()[0].argmax() == 0 and found.distributions()[30].argmax() == 1
    torch.testing.assert_close(found.distributions()[0], found.distributions()[30].flip(0), atol=1e-3, rtol=0)


def test_labels_flow_further_than_neighbours_reach() -> None:
    """Two arcs of 60 images with a label at one end each: the far end of one is nearer to the label of the other."""
    steps = torch.linspace(0, 2.5, 60)
    first = torch.stack([steps.cos(), steps.sin(), torch.full((60,), -0.25)], dim=1)
    features = torch.cat([first, first * torch.tensor([1.0, 1.0, -1.0])])
    known, labels, truth = torch.tensor([0, 119]), torch.tensor([0, 1]), torch.arange(120) // 60
    found = propagate(neighbour_graph(features, neighbours=4), known, labels, 2, seed=0)
    assert torch.equal(found.distributions().argmax(1), truth)
    cosine = functional.normalize(features, dim=1) @ functional.normalize(features[known], dim=1).T
    assert (cosine.argmax(1) != truth).float().mean() > 0.3, "the nearest label would have been enough"


def test_images_beside_the_graph_ask_its_images() -> None:
    features, truth = blobs(90)
    found = propagate(neighbour_graph(features[:60]), KNOWN, truth[KNOWN], CLASSES, seed=0)
    head = found.neighbours()
    assert head.k == NEIGHBOURS and torch.equal(head.votes, found.distributions())
    assert (head.probabilities(features[60:]).argmax(1) == truth[60:]).float().mean() > 0.9
    torch.testing.assert_close(head.probabilities(features[60:]).sum(1), torch.ones(30))


def test_the_length_of_features_and_their_order_do_not_matter() -> None:
    features, _ = blobs()
    order = torch.randperm(30, generator=torch.Generator().manual_seed(0))
    place = order.argsort()
    lengths = torch.rand(30, 1, generator=torch.Generator().manual_seed(1)) + 0.1
    plain = propagate(neighbour_graph(features), KNOWN, LABELS, CLASSES, seed=0).mass
    other = propagate(neighbour_graph((features * lengths)[order]), place[KNOWN], LABELS, CLASSES, seed=0).mass
    torch.testing.assert_close(other[place], plain, atol=1e-5, rtol=1e-3)


def test_shares_of_nothing_are_even() -> None:
    mass = torch.tensor([[1.0, 3.0], [0.0, 0.0], [1e-40, 0.0]])
    found = shares(mass)
    torch.testing.assert_close(found[:2], torch.tensor([[0.25, 0.75], [0.5, 0.5]]))
    torch.testing.assert_close(found.sum(1), torch.ones(3))


def test_the_graph_keeps_what_it_was_made_of() -> None:
    features, _ = blobs()
    before = features.clone()
    graph = neighbour_graph(features)
    assert isinstance(graph, NeighbourGraph) and torch.equal(features, before)


def test_a_class_with_many_labels_does_not_flood_one_with_a_single() -> None:
    """Two clusters that touch, forty labels in one and two in the other: each keeps its own images."""
    rng = torch.Generator().manual_seed(1)
    centres = 2.4 * torch.eye(8)[:2]
    features = torch.cat([centres[label] + torch.randn(200, 8, generator=rng) * 0.7 for label in (0, 1)])
    truth = torch.arange(2).repeat_interleave(200)
    known, labels = torch.cat([torch.arange(40), torch.tensor([200, 201])]), torch.tensor([0] * 40 + [1] * 2)
    graph = neighbour_graph(features)
    flooded = spread(graph, known, labels, 2).argmax(1)
    found = propagate(graph, known, labels, 2, seed=0).mass.argmax(1)
    recall = [float((said[200:] == truth[200:]).float().mean()) for said in (flooded, found)]
    assert recall[1] > 0.9 > recall[0], recall
