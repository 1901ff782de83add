import pytest
import torch

from hundredfold.encoders.build import encoder
from hundredfold.methods.generative.diffusion import Config, Diffusion
from hundredfold.random import generator
from hundredfold.train.engine import Engine
from hundredfold.transfer.from_diffusion import DiffusionGenerator
from hundredfold.transfer.generator import one_hot, responds
from hundredfold.views.chain import Chain

CLASSES = ("a", "b", "c")


@pytest.fixture
def drawing():
    shape = {"widths": [4, 8], "groups": 2}
    small = encoder("unet", channels=1, size=(8, 6), mean=[0.3], std=[0.3], settings=shape, seed=0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Diffusion(small, Chain(()), Config(classes=3, sampling_steps=4))
    return DiffusionGenerator(model, CLASSES)


def test_images_are_those_of_the_model(drawing):
    conditions = one_hot(torch.tensor([0, 2, 1]), 3)
    images = drawing.sample(conditions, generator(0, "s"))
    assert images.shape == (3, 1, 8, 6) and images.dtype == torch.float32
    assert (drawing.name, drawing.classes, drawing.channels, drawing.size) == ("diffusion", CLASSES, 1, (8, 6))
    assert torch.equal(images, drawing.model.sample(conditions, generator(0, "s"))) and not drawing.model.training


def test_it_listens_to_classes_and_to_mixtures(drawing):
    hard, soft = responds(drawing, count=6)
    assert hard > 1e-3 and soft > 1e-4
    mixed = torch.tensor([[0.6, 0.4, 0.0]]).expand(4, 3)
    likeliest = one_hot(mixed.argmax(1), 3)
    one, other = (drawing.sample(row, generator(0, "s")) for row in (mixed, likeliest))
    assert not torch.allclose(one, other, atol=1e-3)


def test_what_is_no_share_of_classes_is_refused(drawing):
    for wrong in (torch.zeros(2, 3), torch.full((2, 2), 0.5), torch.tensor([[1.5, -0.5, 0.0]])):
        with pytest.raises(ValueError, match="share"):
            drawing.sample(wrong, generator(0, "s"))


def test_names_must_be_those_of_the_model(drawing):
    with pytest.raises(ValueError, match="knows 3 classes, got 2 names"):
        DiffusionGenerator(drawing.model, CLASSES[:2])


def test_it_goes_where_the_engine_is(drawing):
    drawing.place(Engine(device=torch.device("meta"), precision="float32"))
    assert {weight.device.type for weight in drawing.model.parameters()} == {"meta"}
