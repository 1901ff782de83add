"""A batch in chunks: the same features and gradients in less memory, for whatever stands on the encoder."""

import copy
import json
import os
import subprocess
import sys

import pytest
import torch

import hundredfold
from hundredfold.encoders._base import Encoder, pass_in_chunks
from hundredfold.encoders.build import encoder
from hundredfold.methods import catalogue
from hundredfold.random import generator
from hundredfold.types import ImageBatch
from hundredfold.views.chain import Chain
from hundredfold.views.rotation import Rotation

METHODS = [method.name for method in hundredfold.methods.names()]
SMALL = {"convnet": {"widths": [4, 6], "features": 12}, "resnet18": {}}
networks = pytest.mark.parametrize("name", SMALL)


def make(name="convnet", *, chunk=0, dtype=torch.float64, **settings):
    settings = {**SMALL.get(name, {}), **settings}
    made = encoder(name, channels=1, size=(8, 8), mean=[0.5], std=[0.3], settings=settings, seed=0).to(dtype)
    pass_in_chunks(made, chunk)
    return made


def images(count=22, dtype=torch.float64):
    return torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(4), dtype=dtype)


def loss_of_pairs(features):
    """Depends on every pair of rows, so that no chunk can go alone."""
    return (features @ features.T).sin().sum() / len(features)


def gradients(encoder, batch, passing=None):
    loss_of_pairs((passing or encoder)(batch)).backward()
    return {name: parameter.grad for name, parameter in encoder.named_parameters()}


@networks
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
@pytest.mark.parametrize("count", [8, 9, 22])
def test_the_gradient_is_that_of_the_whole_batch(name, dtype, tolerance, count):
    expected = gradients(make(name, dtype=dtype).eval(), images(count, dtype))  # BatchNorm stands still
    found = gradients(make(name, chunk=8, dtype=dtype).eval(), images(count, dtype))
    for key, gradient in expected.items():
        assert (found[key] - gradient).norm() <= tolerance * (1 + gradient.norm()), key


@networks
def test_batchnorm_sees_the_chunks_in_order_and_each_once(name):
    one, plain = make(name, chunk=8), make(name)
    features = one(images())
    moved = {key: value.clone() for key, value in one.named_buffers()}
    loss_of_pairs(features).backward()
    found = {key: parameter.grad for key, parameter in one.named_parameters()}

    def in_order(batch):
        return torch.cat([plain(batch[:8]), plain(batch[8:15]), plain(batch[15:])])

    expected = gradients(plain, images(), in_order)
    for key, value in plain.named_buffers():
        assert torch.equal(moved[key], value), key
        assert torch.equal(one.get_buffer(key), value), f"{key} moved when computed again"
    for key, gradient in expected.items():
        torch.testing.assert_close(found[key], gradient, rtol=1e-10, atol=1e-12)


def test_dropout_drops_the_same_when_computed_again():
    plain, one = make(dropout=0.5, block_dropout=0.2), make(chunk=8, dropout=0.5, block_dropout=0.2)
    torch.manual_seed(7)
    expected = gradients(plain, images(), lambda batch: torch.cat([plain(part) for part in batch.tensor_split(3)]))
    torch.manual_seed(7)
    found = gradients(one, images())
    for key, gradient in expected.items():
        torch.testing.assert_close(found[key], gradient, rtol=1e-10, atol=1e-12)


def test_under_autocast_what_is_computed_again_is_half_precision_too():
    plain, one = make(dtype=torch.float32).eval(), make(chunk=8, dtype=torch.float32).eval()
    batch = images(dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        expected, features = plain(batch), one(batch)
        assert features.dtype == expected.dtype == torch.bfloat16
        losses = [loss_of_pairs(found.float()) for found in (expected, features)]
    for loss in losses:
        loss.backward()
    for of_plain, of_one in zip(plain.parameters(), one.parameters(), strict=True):
        assert (of_plain.grad - of_one.grad).norm() <= 0.02 * (1e-3 + of_plain.grad.norm())


@networks
def test_without_gradient_features_are_the_same_and_nothing_is_kept(name):
    one, plain = make(name, chunk=8).eval(), make(name).eval()
    with torch.no_grad():
        torch.testing.assert_close(one(images()), plain(images()), rtol=1e-12, atol=1e-12)
        assert not one(images()).requires_grad


@pytest.mark.parametrize("chunk", [3, 4, 7])
def test_chunks_are_of_like_size_and_none_is_of_one_image(chunk):
    sizes = []
    one = make(chunk=chunk)
    one.network.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    with torch.no_grad():
        for count in range(2, 30):
            sizes.clear()
            one(images(count))
            assert sum(sizes) == count and min(sizes) >= 2 and max(sizes) <= min(chunk, min(sizes) + 1)


def test_chunks_are_no_state():
    assert make(chunk=8).state_dict().keys() == make().state_dict().keys()
    assert make(chunk=8).spec == make().spec
    with pytest.raises(ValueError, match=r"got \(22, 2, 8, 8\)"):
        make(chunk=8)(torch.zeros(22, 2, 8, 8))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_the_loss_and_gradient_of_the_whole_batch(name):
    batch = ImageBatch((255 * images(24)).byte(), torch.full((24,), -1), torch.arange(24))
    steps = []
    for chunk in (0, 8):
        whole = make(catalogue.info(name).encoder or "convnet", dtype=torch.float32)
        method = catalogue.build(name, whole, Chain((Rotation(degrees=10),)), {}, seed=0).double().eval()
        pass_in_chunks(method, chunk)
        assert {part.chunk for part in method.modules() if isinstance(part, Encoder)} == {chunk}
        views = method.views(batch, generator(0, "views"))
        step = method(_in_double(views))
        step.loss.backward()
        steps.append((step.loss.detach(), [parameter.grad for parameter in method.encoder.parameters()]))
    torch.testing.assert_close(steps[1], steps[0], rtol=1e-9, atol=1e-10)


def test_a_copy_that_follows_passes_in_chunks_too():
    one = make(chunk=8)
    torch.testing.assert_close(copy.deepcopy(one).eval()(images()), one.eval()(images()))
    holder = torch.nn.ModuleList([one, copy.deepcopy(one)])
    pass_in_chunks(holder, 0)
    assert [part.chunk for part in holder] == [0, 0]


def _in_double(views):
    if isinstance(views, torch.Tensor):
        return views.double() if views.is_floating_point() else views
    parts = [_in_double(part) for part in views]
    return type(views)(*parts) if hasattr(views, "_fields") else tuple(parts)


MEASURE = """
import json, torch
from hundredfold.encoders.build import encoder
from hundredfold.train.memory import PeakMemory
torch.set_num_threads(1)
made = encoder("convnet", channels=1, size=(16, 16), mean=[0.5], std=[0.3], settings={"widths": [16, 16]}, seed=0)
def measure(count, chunk):
    batch, made.chunk = torch.rand(count, 1, 16, 16), chunk
    with PeakMemory(torch.device("cpu")) as peak:
        made(batch).square().mean().backward()
    return peak.bytes
measure(16, 8)  # what is loaded on first use is not counted
print(json.dumps([measure(64, 0), measure(1024, 0), measure(1024, 64)]))
"""


def test_the_memory_is_that_of_a_chunk():
    # A fixed threshold makes the C library give freed blocks back at once: what is measured is what is in use.
    surroundings = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run(
        [sys.executable, "-c", MEASURE], env=surroundings, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    small, whole, chunked = json.loads(done.stdout)
    if small is None:
        pytest.skip("this system does not tell")
    assert whole > 8 * small
    features = 1024 * 512 * 4
    assert chunked < 1.5 * small + 4 * features  # the features, their gradient, and both once more while joined
