"""How much memory a block takes, and what `fit` makes of it: the record, and the chunks that keep it small."""

import pytest
import torch

from hundredfold.encoders._base import Encoder
from hundredfold.errors import Interrupted
from hundredfold.methods import catalogue
from hundredfold.train import memory
from hundredfold.train.ledger import Ledger
from hundredfold.train.loop import fit
from hundredfold.train.memory import PeakMemory
from hundredfold.train.plan import Plan
from hundredfold.train.stop import StopRequest
from hundredfold.train.watch import Watch

CPU = torch.device("cpu")
MIB = 2**20


@pytest.fixture
def told():
    with PeakMemory(CPU) as peak:
        pass
    if peak.bytes is None:
        pytest.skip("this system does not tell")


def take(mebibytes):
    return torch.ones(mebibytes * MIB // 4)


def test_the_peak_counts_also_when_it_is_over(told):
    with PeakMemory(CPU) as peak:
        take(96)
        kept = take(32)
    assert 90 * MIB < peak.bytes < 120 * MIB
    del kept


def test_what_was_taken_before_does_not_count(told):
    before = take(96)
    with PeakMemory(CPU) as peak:
        take(48)
    assert 44 * MIB < peak.bytes < 72 * MIB
    del before
    with PeakMemory(CPU) as peak:
        pass
    assert 0 <= peak.bytes < 8 * MIB


def test_can_be_read_within_and_stays_as_it_was_at_the_end(told):
    with PeakMemory(CPU) as peak:
        assert peak.bytes < 8 * MIB
        take(64)
        assert peak.bytes > 60 * MIB
    ended = peak.bytes
    take(160)
    assert peak.bytes == ended


def test_an_error_passes_and_the_peak_is_known(told):
    peak = PeakMemory(CPU)
    with pytest.raises(KeyError), peak:
        take(64)
        raise KeyError
    assert peak.bytes > 60 * MIB


def test_where_it_cannot_be_known_it_is_none(tmp_path, monkeypatch):
    with PeakMemory(torch.device("meta")) as peak:
        assert peak.bytes is None
    assert peak.bytes is None
    monkeypatch.setattr(memory, "PROCESS", tmp_path / "no-such-folder")
    with PeakMemory(CPU) as peak:
        pass
    assert peak.bytes is None


def test_the_ledger_keeps_the_largest():
    ledger = Ledger()
    ledger.saw_memory(None)
    assert ledger.peak_bytes is None
    for taken in (5, None, 3):
        ledger.saw_memory(taken)
    assert Ledger(1, ledger.state()).peak_bytes == 5
    without = {key: value for key, value in ledger.state().items() if key != "peak_bytes"}
    assert Ledger(1, without).peak_bytes is None, "checkpoints of before it was kept"


class Hungry(Watch):
    """Takes memory in one step, and stops in another."""

    def __init__(self, at, stop=0):
        self.request, self.at, self.stop = StopRequest(), at, stop

    def step(self, record):
        if record.step == self.at:
            take(80)
        if record.step == self.stop:
            self.request.received = 15


def test_a_run_that_is_kept_records_its_peak(told, build, loader, engine, tmp_path):
    plan = Plan(epochs=1, batch_size=16)
    result = fit(build(), loader, plan, engine, folder=tmp_path, watches=[Hungry(2)])
    assert 76 * MIB < result.peak_bytes < 240 * MIB
    assert fit(build(), loader, plan, engine, watches=[Hungry(2)]).peak_bytes is None, "nobody would read it"


def test_a_resumed_run_records_the_peak_of_all_its_parts(told, build, loader, engine, tmp_path):
    plan, hungry = Plan(epochs=2, batch_size=16), Hungry(2, stop=3)
    with pytest.raises(Interrupted):
        fit(build(), loader, plan, engine, folder=tmp_path, watches=[hungry], stop=hungry.request)
    assert fit(build(), loader, plan, engine, folder=tmp_path).peak_bytes > 76 * MIB
    assert fit(build(), loader, plan, engine, folder=tmp_path).peak_bytes > 76 * MIB, "nothing was left to do"


@pytest.mark.parametrize("chunk", [-1, 1, 2])
def test_a_chunk_too_small_is_told(chunk):
    (problem,) = Plan(chunk=chunk).problems()
    assert problem == f"chunk must be 0 (the whole batch) or >= 3, got {chunk}"
    assert Plan(chunk=3).problems() == []


@pytest.mark.parametrize("name", ["simclr", "byol", "moco"])
def test_the_plan_sets_the_chunk_of_the_encoder_and_its_copies(build, loader, engine, name):
    method = catalogue.build(name, build().encoder, build().chain, {}, seed=0)
    fit(method, loader, Plan(epochs=1, batch_size=16, chunk=8), engine)
    assert [part.chunk for part in method.modules() if isinstance(part, Encoder)] == [8] * (1 + (name != "simclr"))
    fit(method, loader, Plan(epochs=1, batch_size=16), engine)
    assert method.encoder.chunk == 0


def test_a_run_in_chunks_learns(build, loader, engine):
    result = fit(build(), loader, Plan(epochs=30, batch_size=16, lr=2e-2, chunk=8), engine)
    assert result.epochs[-1].loss < 0.9 * result.chance < result.epochs[0].loss
