"""What is peculiar to diffusion: the schedule, what is told, how images are drawn, and by which weights."""

import math

import pytest
import torch

from hundredfold.encoders.build import encoder
from hundredfold.errors import SettingsError
from hundredfold.methods.generative.diffusion import Config, Diffusion
from hundredfold.random import generator
from hundredfold.types import ImageBatch, Progress
from hundredfold.views.chain import Chain
from hundredfold.views.rotation import Rotation


def make(size=(8, 8), channels=1, chain=(), **settings):
    shape = {"widths": [4, 8], "groups": 2}
    means = {"mean": [0.3] * channels, "std": [0.37] * channels}
    small = encoder("unet", channels=channels, size=size, settings=shape, seed=0, **means)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Diffusion(small, Chain(chain), Config(**{"classes": 3, "sampling_steps": 4, **settings}))


def batch(labels=(0, 1, 2, -1, 2, 0), size=(8, 8)):
    pixels = torch.rand(len(labels), 1, *size, generator=torch.Generator().manual_seed(1))
    return ImageBatch(pixels, torch.tensor(labels), torch.arange(len(labels)))


def kept(steps):
    """The product of all (1 - beta) up to each step, from the formulas of Nichol & Dhariwal, with floats."""
    clean = [math.cos((t / steps + 0.008) / 1.008 * math.pi / 2) ** 2 for t in range(steps + 1)]
    product, found = 1.0, []
    for t in range(1, steps + 1):
        product *= 1 - min(1 - clean[t] / clean[t - 1], 0.999)
        found.append(product)
    return found


@pytest.mark.parametrize("target", ["noise", "velocity"])
@torch.no_grad()
def test_the_loss_is_the_error_of_what_is_seen(target):
    """Ho et al., equation 14, and Salimans & Ho's velocity: each image on its way by its own time step and noise."""
    method = make(target=target)
    views = method.views(batch(), generator(0, "v"))
    shares = kept(1000)
    total, numbers = 0.0, 0
    for row in range(6):
        left = shares[int(views.steps[row])]
        clean = 2 * views.images[row : row + 1] - 1
        noisy = math.sqrt(left) * clean + math.sqrt(1 - left) * views.noise[row : row + 1]
        told = views.steps[row : row + 1], views.conditions[row : row + 1]
        found = method.denoiser(method.encoder.network, noisy, *told)
        velocity = math.sqrt(left) * views.noise[row : row + 1] - math.sqrt(1 - left) * clean
        right = views.noise[row : row + 1] if target == "noise" else velocity
        total += float((found - right).square().sum())
        numbers += found.numel()
    assert method(views).loss.item() == pytest.approx(total / numbers, rel=1e-4)
    assert method(views).loss.item() == method(views).loss.item()


def test_an_answer_of_nothing_has_the_loss_of_chance():
    method = make(target="noise")
    with torch.no_grad():
        for weight in method.denoiser.expanding.last[-1].parameters():
            weight.zero_()
    loss = method(method.views(batch([0] * 200), generator(0, "v"))).loss.item()
    assert loss == pytest.approx(method.levels(200)[0], rel=0.02)
    assert make().levels(200) == (None, 0.0)


def test_time_steps_are_drawn_from_all_and_noise_is_normal():
    views = make(unknown=0.25).views(batch([1] * 4000), generator(0, "v"))
    assert 0 <= int(views.steps.min()) < 3 and 996 < int(views.steps.max()) <= 999
    assert views.steps.float().mean().item() == pytest.approx(499.5, abs=15)
    assert views.noise.mean().item() == pytest.approx(0, abs=0.01)
    assert views.noise.var().item() == pytest.approx(1, abs=0.01)
    assert views.conditions[:, 1].mean().item() == pytest.approx(0.75, abs=0.03)


def test_a_class_is_one_hot_and_an_unknown_one_is_zeros():
    wanted = [[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0], [0, 0, 1], [1, 0, 0]]
    assert make().condition(batch().labels).tolist() == wanted
    assert make(unknown=0.0).views(batch(), generator(0, "v")).conditions.tolist() == wanted
    assert make(unknown=1.0).views(batch(), generator(0, "v")).conditions.abs().sum() == 0
    with pytest.raises(ValueError, match="below 3, the number of classes, got 3"):
        make().condition(torch.tensor([0, 3]))


def test_without_classes_labels_are_not_looked_at():
    method = make(classes=0)
    assert method.conditions == 1 and method.condition(torch.tensor([0, 5, -1])).tolist() == [[0.0]] * 3
    assert method.sample(torch.zeros(2, 1), generator(0, "s")).shape == (2, 1, 8, 8)


@pytest.mark.parametrize("target", ["noise", "velocity"])
def test_images_are_drawn_as_the_paper_says(target):
    """Song et al., equation 12 with eta 0, written out; images are kept to -1..1 on the way."""
    method = make(sampling_steps=5, target=target).eval()
    conditions = torch.eye(3)
    images = torch.randn(3, 1, 8, 8, generator=generator(0, "s"))
    shares = kept(1000)
    with torch.no_grad():
        for step in (800, 600, 400, 200, 0):
            now, then = shares[step], shares[step - 200] if step else 1.0
            answer = method.average(images, torch.full((3,), step), conditions)
            noise = answer if target == "noise" else math.sqrt(now) * answer + math.sqrt(1 - now) * images
            clean = ((images - math.sqrt(1 - now) * noise) / math.sqrt(now)).clamp(-1, 1)
            images = math.sqrt(then) * clean + math.sqrt(1 - then) * noise
    found = method.sample(conditions, generator(0, "s"))
    torch.testing.assert_close(found, ((images + 1) / 2).clamp(0, 1), rtol=1e-3, atol=1e-4)


def test_guidance_leads_away_from_what_no_class_says():
    plain, led = make().eval(), make(guidance=2.0).eval()
    images, conditions = torch.randn(3, 1, 8, 8), torch.eye(3)
    steps = torch.full((3,), 500)
    with torch.no_grad():
        told, untold = plain.average(images, steps, conditions), plain.average(images, steps, 0 * conditions)
        torch.testing.assert_close(led._answer(images, 500, conditions), 3 * told - 2 * untold)
        torch.testing.assert_close(led._answer(images, 500, 0 * conditions), untold)
        torch.testing.assert_close(plain._answer(images, 500, conditions), told)
    assert not torch.allclose(told, untold)


def test_one_noise_and_one_condition_give_one_image():
    method = make().eval()
    torch.manual_seed(1)
    one = method.sample(torch.eye(3), generator(0, "s"))
    torch.manual_seed(2)
    assert torch.equal(one, method.sample(torch.eye(3), generator(0, "s")))
    assert not torch.allclose(one, method.sample(torch.eye(3), generator(1, "s")))
    assert bool(((one >= 0) & (one <= 1)).all()) and not one.requires_grad


def test_a_mixture_of_classes_is_told_as_a_mixture_and_is_neither_of_them():
    method = make().eval()
    soft = torch.tensor([[0.6, 0.4, 0.0]])
    told = [method.denoiser.classes(row) for row in (soft, *torch.eye(3)[:2].split(1))]
    torch.testing.assert_close(told[0], 0.6 * told[1] + 0.4 * told[2])
    mixed, pure = (method.sample(row.expand(4, 3), generator(0, "s")) for row in (soft, torch.eye(3)[:1]))
    assert not torch.allclose(mixed, pure, atol=1e-3)


def test_the_average_follows_and_draws():
    method = make(average=0.5)
    mine = dict(method.average.named_parameters())
    theirs = {f"contracting.{name}": weight for name, weight in method.encoder.network.named_parameters()}
    theirs |= {f"denoiser.{name}": weight for name, weight in method.denoiser.named_parameters()}
    assert mine.keys() == theirs.keys() and not any(weight.requires_grad for weight in mine.values())
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)

    before = {name: weight.clone() for name, weight in mine.items()}
    drawn = method.sample(torch.eye(3), generator(0, "s"))
    with torch.no_grad():
        for weight in theirs.values():
            weight.add_(1)
    assert torch.equal(drawn, method.sample(torch.eye(3), generator(0, "s"))), "drawn by the average alone"
    for step, moved in ((1, 1 - 2 / 11), (1000, 1 - 0.5 * 2 / 11)):  # (1 + step) / (10 + step), at most 0.5
        method.after_step(Progress(step, 1000))
        for name, weight in mine.items():
            torch.testing.assert_close(weight, before[name] + moved, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(drawn, method.sample(torch.eye(3), generator(0, "s")))


@pytest.mark.parametrize(("channels", "size"), [(1, (9, 7)), (3, (6, 10))])
def test_images_of_any_size_and_channels(channels, size):
    method = make(size, channels)
    views = method.views(
        ImageBatch(torch.rand(2, channels, *size), torch.tensor([0, 1]), torch.arange(2)), generator(0, "v")
    )
    assert bool(method(views).loss.isfinite())
    assert method.sample(torch.eye(3), generator(0, "s")).shape == (3, channels, *size)


def test_images_are_learnt_from_as_they_are_unless_asked_otherwise():
    turned = (Rotation(degrees=30),)
    assert torch.equal(make(chain=turned).views(batch(), generator(0, "v")).images, batch().images)
    assert not torch.equal(make(chain=turned, augment=True).views(batch(), generator(0, "v")).images, batch().images)


def test_another_encoder_is_refused_with_what_to_do():
    convnet = encoder("convnet", channels=1, size=(8, 8), mean=[0.3], std=[0.3], seed=0)
    with pytest.raises(SettingsError, match="diffusion needs the encoder unet") as refused:
        Diffusion(convnet, Chain(()), Config())
    assert "--encoder unet" in refused.value.fix


def test_settings_that_cannot_be_are_all_told():
    wrong = Config(classes=-1, target="image", unknown=1.5, guidance=-1.0, sampling_steps=0, average=1.0).problems()
    assert len(wrong) == 6 and all(
        any(name in problem for problem in wrong)
        for name in ("classes", "target", "unknown", "guidance", "sampling_steps", "average")
    )
    assert len(Config(guidance=math.nan, sampling_steps=1001).problems()) == 2 and Config().problems() == []
