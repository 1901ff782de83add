"""Two processes must do what one does on the joined batch."""

import json
import logging
import multiprocessing
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import hundredfold
from hundredfold import distributed
from hundredfold.encoders._base import pass_in_chunks
from hundredfold.encoders.build import encoder
from hundredfold.methods import catalogue
from hundredfold.random import generator
from hundredfold.types import ImageBatch
from hundredfold.views.chain import Chain
from hundredfold.views.rotation import Rotation

ROWS, DIMENSIONS = 3, 4
METHODS = [method.name for method in hundredfold.methods.names()]
IMAGES = 6  # in each process


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
    for name in METHODS:
        try:
            save_file(step_of(name, rank, world), Path(folder) / f"{name}-{rank}.safetensors")
        except Exception:
            logging.exception(f"{name} in process {rank}")  # the others are still to be tried
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


def step_of(name: str, rank: int, world: int) -> dict[str, Tensor]:
    """The mean loss of a method over all processes and the gradient that each of them then has."""
    kind = catalogue.info(name).encoder or "convnet"
    settings = {"convnet": {"widths": [4, 6], "features": 12}, "unet": {"widths": [4, 8], "groups": 2}}.get(kind, {})
    small = encoder(kind, channels=1, size=(8, 8), mean=[0.5], std=[0.3], settings=settings, seed=0)
    method = catalogue.build(name, small, Chain((Rotation(degrees=10),)), {}, seed=0).double()
    method.eval()  # BatchNorm's statistics, and dropout, are of each process and not compared here
    count = 2 * IMAGES
    images = torch.randint(0, 256, (count, 1, 8, 8), generator=generator(0, "images"), dtype=torch.uint8)
    views = method.views(ImageBatch(images, torch.full((count,), -1), torch.arange(count)), generator(0, "views"))
    share, wrapped = count // world, method
    if world > 1:
        pass_in_chunks(method, 4)  # changes nothing, with other processes as without
        wrapped = nn.parallel.DistributedDataParallel(method)
    loss = wrapped(rows_of(views, slice(rank * share, (rank + 1) * share), count)).loss
    loss.backward()
    gradients = {key: parameter.grad for key, parameter in method.named_parameters() if parameter.requires_grad}
    return {"loss": distributed.mean(loss), **{key: value.clone() for key, value in gradients.items()}}


def rows_of(views: object, rows: slice, count: int) -> object:
    """These rows of every tensor in what `views` returned, in double precision."""
    if isinstance(views, Tensor):
        assert len(views) == count, "a tensor of views has a row for each image"
        return views[rows].double() if views.is_floating_point() else views[rows]
    parts = [rows_of(part, rows, count) for part in views]
    return type(views)(*parts) if hasattr(views, "_fields") else tuple(parts)


@pytest.fixture(scope="module")
def meeting(tmp_path_factory):
    """The folder in which two processes left what they found."""
    folder = tmp_path_factory.mktemp("meeting")
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=worker, args=(rank, 2, str(folder))) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=120)
    codes = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
    assert codes == [0, 0]
    return folder


@pytest.fixture(scope="module")
def found(meeting):
    return [json.loads((meeting / f"found-{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.parametrize("name", METHODS)
def test_every_method_steps_as_in_one_process_on_the_joined_batch(meeting, name):
    expected = step_of(name, 0, 1)
    assert any(bool((value != 0).any()) for key, value in expected.items() if key != "loss")
    for rank in range(2):
        answer = load_file(meeting / f"{name}-{rank}.safetensors")
        assert answer.keys() == expected.keys()
        for key, value in expected.items():
            assert (answer[key] - value).norm() <= 1e-8 * (1e-3 + value.norm()), key


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
