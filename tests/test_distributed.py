"""Two processes must do what one does on the joined batch."""

import json
import multiprocessing
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from hundredfold import distributed

ROWS, DIMENSIONS = 3, 4


def contrastive(za: Tensor, zb: Tensor) -> Tensor:
    """A loss of every pair of rows, written out."""
    total = za.new_zeros(())
    for i in range(len(za)):
        exponentials = [torch.exp(torch.dot(za[i], zb[j])) for j in range(len(zb))]
        total = total - torch.log(exponentials[i] / torch.stack(exponentials).sum())
    return total / len(za)


class Toy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(-0.5, 0.5, DIMENSIONS * 2).view(2, DIMENSIONS).double())
        self.temperature = nn.Parameter(torch.tensor(1.5).double())  # used after the gather, unlike the weight

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        za, zb = a @ self.weight.t(), b @ self.weight.t()
        return contrastive(distributed.gather(za) * self.temperature, distributed.gather(zb))


def views(count: int) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(0)
    a, b = torch.rand(2, count, DIMENSIONS, generator=rng, dtype=torch.float64)
    return a, b


def worker(rank: int, world: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world)
    (Path(folder) / f"found-{rank}.json").write_text(json.dumps(measure(rank, world)))
    distributed.leave()


def measure(rank: int, world: int) -> dict[str, object]:
    a, b = (view[rank * ROWS : (rank + 1) * ROWS] for view in views(world * ROWS))
    wrapped = nn.parallel.DistributedDataParallel(Toy())
    loss = wrapped(a, b)
    loss.backward()
    bare = Toy()
    bare(a, b).backward()
    assert bare.weight.grad is not None
    summed = bare.weight.grad.clone()
    dist.all_reduce(summed)
    z = (a * (rank + 1)).requires_grad_()
    (distributed.gather(z).sum() * 10.0**rank).backward()  # another loss in each process
    return {
        "rank": distributed.rank(),
        "world": distributed.world(),
        "main": distributed.is_main(),
        "loss": loss.item(),
        "weight": wrapped.module.weight.grad.tolist(),
        "temperature": wrapped.module.temperature.grad.item(),
        "summed": summed.tolist(),
        "asked": z.grad.tolist(),
        "mean": distributed.mean(torch.tensor([float(rank), 1.0], requires_grad=True)).tolist(),
        "rows": distributed.gather(torch.tensor([[rank, rank]])).tolist(),
    }


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("meeting")
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=worker, args=(rank, 2, str(folder))) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
    codes = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
    assert codes == [0, 0]
    return [json.loads((folder / f"found-{rank}.json").read_text()) for rank in range(2)]


def test_loss_and_averaged_gradient_are_those_of_one_process_on_the_joined_batch(found):
    toy = Toy()
    loss = toy(*views(2 * ROWS))
    loss.backward()
    assert toy.weight.grad is not None
    assert toy.temperature.grad is not None
    for answer in found:
        assert answer["loss"] == pytest.approx(loss.item(), rel=1e-12)
        torch.testing.assert_close(
            torch.tensor(answer["weight"], dtype=torch.float64), toy.weight.grad, atol=1e-12, rtol=1e-12
        )
        assert answer["temperature"] == pytest.approx(toy.temperature.grad.item(), rel=1e-12)
        torch.testing.assert_close(
            torch.tensor(answer["summed"], dtype=torch.float64), 2 * toy.weight.grad, atol=1e-12, rtol=1e-12
        )


def test_a_row_gets_what_every_process_asks_of_it(found):
    assert [answer["asked"] for answer in found] == [[[11.0] * DIMENSIONS] * ROWS] * 2


def test_rank_world_mean_and_rows(found):
    assert [(answer["rank"], answer["world"], answer["main"]) for answer in found] == [(0, 2, True), (1, 2, False)]
    assert [answer["mean"] for answer in found] == [[0.5, 1.0]] * 2
    assert [answer["rows"] for answer in found] == [[[0, 0], [1, 1]]] * 2


def test_one_process_is_the_identity():
    rows = torch.ones(2, 3, requires_grad=True)
    assert distributed.gather(rows) is rows
    assert not distributed.mean(rows).requires_grad
    assert torch.equal(distributed.mean(rows), rows)
    distributed.barrier()
    distributed.leave()
    assert (distributed.rank(), distributed.world(), distributed.is_main()) == (0, 1, True)
