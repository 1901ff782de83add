"""The account of a training run: what goes through a checkpoint comes back as it was."""

import json

import pytest
import torch

from hundredfold.records import Similarity
from hundredfold.train.ledger import Ledger
from hundredfold.train.watch import StepRecord

SEEN = Similarity(
    positive_mean=0.9,
    positive_variance=0.01,
    negative_mean=-0.1,
    negative_variance=0.04,
    alignment=0.2,
    uniformity=-3.0,
    effective_rank=12.5,
    dimensions=64,
    images=32,
)


def step(number, loss):
    return StepRecord(
        step=number, steps=4, epoch=(number + 1) // 2, epochs=2, loss=loss, lr=0.1, images=8, data_wait=0.5, seconds=2.0
    )


@pytest.fixture
def ledger():
    account = Ledger()
    account.add(step(1, 3.0), {"a": torch.tensor(1.0)})
    account.add(step(2, 1.0), {"a": torch.tensor(2.0)})
    account.close_epoch(step(2, 1.0), 2.5, SEEN, validating=1.0)
    account.add(step(3, 0.5), {})
    return account


def test_an_epoch_is_the_mean_of_its_steps(ledger):
    (epoch,) = ledger.epochs
    assert (epoch.epoch, epoch.step, epoch.loss, epoch.val_loss, epoch.seconds) == (1, 2, 2.0, 2.5, 5.0)
    assert epoch.images_per_second == 4.0 and epoch.data_wait == 0.25 and epoch.logs == {"a": 1.5}
    assert epoch.similarity is SEEN


def test_it_goes_on_from_the_json_of_a_checkpoint(ledger):
    again = Ledger(ledger.step, json.loads(json.dumps(ledger.state())))
    assert again.epochs == ledger.epochs and again.epochs[0].similarity == SEEN
    assert again.sums == ledger.sums and again.step == 3


def test_a_checkpoint_of_before_similarities_were_kept_is_taken(ledger):
    state = json.loads(json.dumps(ledger.state()))
    del state["epochs"][0]["similarity"]
    assert Ledger(3, state).epochs[0].similarity is None


@pytest.mark.parametrize("epoch", [7, "x", {"epoch": 1}, {"similarity": {"unknown": 1}}, {"similarity": 5}])
def test_what_is_no_account_is_refused(ledger, epoch):
    with pytest.raises((LookupError, TypeError, ValueError)):
        Ledger(3, {**ledger.state(), "epochs": [epoch]})
