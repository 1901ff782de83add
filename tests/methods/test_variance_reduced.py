"""The add-on: any method's loss plus a weight times VRNS, with pairs of the same image left out by position."""

import pytest
import torch

import hundredfold
from hundredfold.data.images import ImageSet, MemoryPixels
from hundredfold.data.loader import Loader
from hundredfold.encoders.build import encoder
from hundredfold.losses import variance_reduction
from hundredfold.methods import catalogue
from hundredfold.methods._base import Method
from hundredfold.methods.variance_reduced import VarianceReduced
from hundredfold.random import generator
from hundredfold.train.engine import Engine
from hundredfold.train.loop import fit
from hundredfold.train.plan import Plan
from hundredfold.types import ImageBatch, Step
from hundredfold.views.chain import Chain
from hundredfold.views.rotation import Rotation

NAMES = [method.name for method in hundredfold.methods.names() if method.family == "contrastive"]
ENGINE = Engine(device=torch.device("cpu"), precision="float32")


def make(name="simclr"):
    settings = {"widths": [8], "features": 32}
    small = encoder("convnet", channels=1, size=(8, 8), mean=[0.4], std=[0.3], settings=settings, seed=0)
    return catalogue.build(name, small, Chain((Rotation(degrees=10),)), {}, seed=0)


def batch(positions):
    images = torch.randint(0, 256, (len(positions), 1, 8, 8), generator=torch.Generator().manual_seed(1))
    return ImageBatch(images.to(torch.uint8), torch.full((len(positions),), -1), torch.tensor(positions))


@pytest.mark.parametrize("name", NAMES)
def test_adds_the_weighted_term_to_the_loss_of_every_method(name):
    method = make(name)
    added = VarianceReduced(method, weight=3.0, images=500)
    views = added.views(batch(list(range(20))), generator(0, "v"))
    method.eval()  # batch statistics stay where they are
    alone, both = method(views.views), added(views)
    za, zb = alone.pair
    expected = alone.loss + 3.0 * variance_reduction(za, zb, images=500)
    torch.testing.assert_close(both.loss, expected)
    torch.testing.assert_close(both.logs["base_loss"], alone.loss.detach())
    both.loss.backward()
    assert all(parameter.grad is not None for parameter in added.encoder.parameters())


def test_two_rows_of_one_image_are_no_negatives():
    method = VarianceReduced(make().eval(), weight=1.0, images=50)
    positions = [0, 1, 2, 2, 3]
    views = method.views(batch(positions), generator(0, "v"))
    za, zb = method.project(views)
    expected = variance_reduction(za, zb, images=50, positions=torch.tensor(positions))
    torch.testing.assert_close(method(views).logs["variance_reduction"], expected)
    assert not torch.isclose(expected, variance_reduction(za, zb, images=50))


def test_the_encoder_is_held_and_saved_once():
    method = VarianceReduced(make(), weight=1.0, images=50)
    assert method.encoder is method.method.encoder
    assert not any(name.startswith("encoder.") for name in method.state_dict())
    assert len(list(method.parameters())) == len(list(method.method.parameters()))


def test_lowers_the_variance_of_negative_similarities():
    pixels = torch.randint(0, 256, (96, 1, 8, 8), generator=torch.Generator().manual_seed(5), dtype=torch.uint8)
    images = ImageSet(source="toy", pixels=MemoryPixels(pixels), labels=torch.full((96,), -1))
    loader = Loader(images=images, index=torch.arange(96), batch_size=8, seed=2)

    def variance(method):
        fit(method, loader, Plan(epochs=10, batch_size=8), ENGINE)
        views = method.views(batch(list(range(40))), generator(3, "v"))
        za, zb = (torch.nn.functional.normalize(z, dim=1) for z in method.project(views))
        return (za @ zb.T)[~torch.eye(40, dtype=torch.bool)].var().item()

    plain = variance(make())
    assert variance(VarianceReduced(make(), weight=10.0, images=96)) < 0.7 * plain


def test_what_cannot_serve_is_said():
    with pytest.raises(ValueError, match="must be > 0, got 0"):
        VarianceReduced(make(), weight=0.0, images=10)
    with pytest.raises(ValueError, match="at least two images"):
        VarianceReduced(make(), weight=1.0, images=1)

    class Alone(Method):
        def __init__(self):
            super().__init__()
            self.encoder = make().encoder

        def views(self, batch, rng):
            return batch.images

        def forward(self, views):
            return Step(self.encoder(views.float()).sum(), {})

    lonely = VarianceReduced(Alone(), weight=1.0, images=10)
    with pytest.raises(ValueError, match="Alone compares no two views"):
        lonely(lonely.views(batch([0, 1]), generator(0, "v")))
