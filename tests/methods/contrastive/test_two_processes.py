"""Methods with a second network or a stopped gradient: two processes step as one does on the joined batch.

Normalisation runs on fixed statistics here, for batch statistics are those of each process.
"""

import multiprocessing
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from hundredfold import distributed
from hundredfold.encoders.build import encoder
from hundredfold.methods import catalogue
from hundredfold.random import generator
from hundredfold.types import ImageBatch, Progress
from hundredfold.views.chain import Chain
from hundredfold.views.rotation import Rotation

NAMES = ("byol", "moco", "simsiam")
STEPS, ROWS = 2, 4


def make(name):
    settings = {"widths": [4], "features": 8}
    small = encoder("convnet", channels=1, size=(8, 8), mean=[0.4], std=[0.3], settings=settings, seed=0)
    return catalogue.build(name, small, Chain((Rotation(degrees=10),)), {"hidden": 8, "projection": 6}, seed=0)


def views(method, step):
    images = torch.randint(0, 256, (2 * ROWS, 1, 8, 8), generator=torch.Generator().manual_seed(step))
    batch = ImageBatch(images.byte(), torch.full((2 * ROWS,), -1), torch.arange(2 * ROWS) + 10 * step)
    return method.views(batch, generator(0, "v", step))


def after_steps(name, rank=0, world=1):
    """Weights, target and queue after some steps of this process's share of each batch."""
    method = make(name).train()
    for module in method.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.eval()
    wrapped = DistributedDataParallel(method) if world > 1 else method
    optimizer = torch.optim.SGD([p for p in method.parameters() if p.requires_grad], lr=0.5)
    share = slice(rank * 2 * ROWS // world, (rank + 1) * 2 * ROWS // world)
    for step in range(STEPS):
        whole = views(method, step)
        wrapped(type(whole)(*(part[share] for part in whole))).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        method.after_step(Progress(step + 1, 10))
    return method.state_dict()


def worker(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    for name in NAMES:
        save_file(after_steps(name, rank, 2), Path(folder) / f"{name}-{rank}.safetensors")
    distributed.leave()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("meeting")
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=worker, args=(rank, str(folder))) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=120)
    codes = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
    assert codes == [0, 0]
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_step_as_one_on_the_joined_batch(name, folder):
    alone, start = after_steps(name), make(name).state_dict()
    for rank in range(2):
        for key, value in load_file(folder / f"{name}-{rank}.safetensors").items():
            torch.testing.assert_close(
                value, alone[key], atol=1e-5, rtol=1e-4, msg=lambda text, key=key: f"{key}: {text}"
            )
    assert not torch.allclose(alone["encoder.network.blocks.0.0.weight"], start["encoder.network.blocks.0.0.weight"])
