"""Folds that spare single labels, and logits of probes that did not see the image."""

import pytest
import torch
from torch.nn import functional

from hundredfold.evaluate.out_of_fold import LEFT_IN, out_of_fold, stratified_folds
from hundredfold.evaluate.probe import logistic_regression
from hundredfold.random import generator


def blobs(counts: list[int], seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Features [n, 6] around one centre a class, shuffled, and labels."""
    rng = torch.Generator().manual_seed(seed)
    labels = torch.tensor([label for label, count in enumerate(counts) for _ in range(count)])
    labels = labels[torch.randperm(len(labels), generator=rng)]
    return 2.5 * torch.eye(6)[labels] + torch.randn(len(labels), 6, generator=rng), labels


@pytest.mark.parametrize("counts", [[10, 10, 10], [2, 7, 1], [23, 2, 2, 2], [1, 1, 5]])
def test_folds_share_out_every_class_and_spare_single_labels(counts: list[int]) -> None:
    _, labels = blobs(counts)
    fold = stratified_folds(labels, 5, generator(0, "folds"))
    for label, count in enumerate(counts):
        own = fold[labels == label]
        if count == 1:
            assert own.tolist() == [LEFT_IN]
            continue
        each = [int((own == number).sum()) for number in range(5)]
        assert sum(each) == count and max(each) - min(each) <= 1
        assert max(each) < count  # a label of the class is left to learn from
    assert not torch.equal(fold, stratified_folds(labels, 5, generator(1, "folds")))


def test_logits_are_those_of_a_probe_without_the_fold() -> None:
    features, labels = blobs([8, 8, 8])
    found = out_of_fold(features, labels, 4, inverse_penalty=0.5, seed=3)
    fold = stratified_folds(labels, 5, generator(3, "out of fold", 0))
    read = functional.normalize(features, dim=1)
    for position in (0, 11, 23):
        known = fold != fold[position]
        weight, bias = logistic_regression(read[known], labels[known], 4, inverse_penalty=0.5)
        assert torch.allclose(found.logits[position, :3], (weight @ read[position] + bias)[:3], atol=1e-5)
    assert found.positions.tolist() == list(range(24)) and torch.equal(found.labels, labels)
    assert (found.logits[:, 3] == -torch.inf).all()  # the class without a label


def test_an_image_alone_in_its_class_is_learnt_from_and_not_judged() -> None:
    features, labels = blobs([6, 1, 6])
    found = out_of_fold(features, labels, 3, inverse_penalty=1.0, seed=0)
    assert found.positions.tolist() == (labels != 1).nonzero().squeeze(1).tolist()
    assert found.logits.isfinite().all()  # the others could be taken for it


def test_an_image_set_aside_is_judged_and_not_learnt_from() -> None:
    features, labels = blobs([8, 8])
    aside = torch.zeros(16, dtype=torch.bool)
    aside[5] = True
    moved = features.clone()
    moved[5] = 100.0
    first, second = (
        out_of_fold(given, labels, 2, inverse_penalty=1.0, seed=0, aside=aside) for given in (features, moved)
    )
    assert torch.equal(first.logits[~aside], second.logits[~aside])
    assert not torch.allclose(first.logits[5], second.logits[5])


def test_a_repeat_deals_new_folds() -> None:
    features, labels = blobs([9, 9])
    first, again, other = (
        out_of_fold(features, labels, 2, inverse_penalty=1.0, seed=0, repeat=repeat) for repeat in (0, 0, 1)
    )
    assert torch.equal(first.logits, again.logits) and not torch.equal(first.logits, other.logits)


def test_single_labels_alone_leave_nothing_to_judge() -> None:
    features, labels = blobs([1, 1, 1])
    assert len(out_of_fold(features, labels, 3, inverse_penalty=1.0, seed=0).positions) == 0
