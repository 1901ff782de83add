"""What is peculiar to MAE: the encoder sees visible patches only, the decoder puts all back in their places."""

import pytest
import torch

from hundredfold.data.digits import read_digits
from hundredfold.data.loader import Loader
from hundredfold.encoders.build import encoder
from hundredfold.errors import SettingsError
from hundredfold.methods.pretext.mae import MAE, Config, doubts
from hundredfold.random import generator
from hundredfold.train.engine import Engine
from hundredfold.train.loop import fit
from hundredfold.train.plan import Plan
from hundredfold.types import ImageBatch
from hundredfold.views.chain import Chain
from hundredfold.views.rotation import Rotation

SMALL = {"width": 32, "depth": 2, "heads": 2}


def make(channels=1, size=(8, 8), vit=SMALL, **settings):
    means = {"mean": [0.3] * channels, "std": [0.3] * channels}
    small = encoder("vit", channels=channels, size=size, settings=vit, seed=0, **means)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return MAE(small, Chain(()), Config(**{"mask": 0.75, "decoder_width": 32, **settings}))


def batch(count=6, channels=1, size=(8, 8)):
    images = torch.rand(count, channels, *size, generator=torch.Generator().manual_seed(1))
    return ImageBatch(images, torch.full((count,), -1), torch.arange(count))


def drawn(method, **images):
    return method.views(batch(**images), generator(0, "v"))


def is_hidden(views, mask):
    """[b][n]: whether a patch is among the lowest scores of its image, with floats."""
    count = round(mask * views.scores.shape[1])
    return [[score in sorted(row)[:count] for score in row] for row in views.scores.tolist()]


def test_the_encoder_sees_a_quarter_of_the_patches():
    method, seen = make(), []
    method.encoder.network.blocks.register_forward_hook(lambda module, given, after: seen.append(given[0].shape))
    method(drawn(method))
    assert seen == [(6, 4, 32)]


def test_views_are_drawn_where_asked_for():
    small = encoder("vit", channels=1, size=(8, 8), mean=[0.3], std=[0.3], settings=SMALL, seed=0)
    rotation, images = Chain((Rotation(degrees=90),)), batch().images
    still, moved = (
        MAE(small, rotation, Config(augment=augment)).views(batch(), generator(0, "v")) for augment in (False, True)
    )
    assert torch.equal(still.images, images) and not torch.equal(moved.images, images)


@pytest.mark.parametrize("normalise", [False, True])
def test_the_loss_by_hand(normalise):
    """Squared errors over the pixels of hidden patches, each patch normalised by its own mean and variance or not."""
    method = make(channels=2, normalise=normalise)
    views = drawn(method, channels=2)
    hidden = is_hidden(views, 0.75)
    answers = method._answers(views).tolist()
    squares = []
    for b in range(6):
        for place in range(16):
            row, column = divmod(place, 4)
            corner = views.images[b, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            target = ((corner - 0.3) / 0.3).flatten().tolist()
            if normalise:
                mean = sum(target) / 8
                variance = sum((value - mean) ** 2 for value in target) / 7
                target = [(value - mean) / (variance + 1e-6) ** 0.5 for value in target]
            if hidden[b][place]:
                squares += [(a - t) ** 2 for a, t in zip(answers[b][place], target, strict=True)]
    assert len(squares) == 6 * 12 * 8
    assert method(views).loss.item() == pytest.approx(sum(squares) / len(squares), rel=1e-4)


def test_what_is_hidden_is_not_seen():
    method = make()
    views = drawn(method)
    missing = method.complete(views).missing
    other = views._replace(images=torch.where(missing, torch.rand(1), views.images))
    torch.testing.assert_close(method.complete(views).completed[missing], method.complete(other).completed[missing])
    changed = views._replace(images=torch.where(missing, views.images, torch.rand(1)))
    assert not torch.allclose(method.complete(views).completed[missing], method.complete(changed).completed[missing])


def test_a_vector_goes_back_to_its_place():
    """The decoder's input at each place: the vector of the patch that lies there, or the features on its wave."""
    decoder = make().decoder
    given = []
    decoder.blocks.register_forward_hook(lambda module, inputs, after: given.append(inputs[0]))
    vectors = torch.randn(1, 2, 32, generator=torch.Generator().manual_seed(0))
    features = torch.randn(1, 32, generator=torch.Generator().manual_seed(1))
    decoder(vectors, features, torch.tensor([[9, 4]]))
    tokens = given[0][0] - decoder.positions  # [n, width]
    torch.testing.assert_close(tokens[9], decoder.narrow(vectors)[0, 0])
    torch.testing.assert_close(tokens[4], decoder.narrow(vectors)[0, 1])
    for place in set(range(16)) - {4, 9}:
        expected = decoder.hidden_token + decoder.narrow(features)[0] * decoder.waves[place]
        torch.testing.assert_close(tokens[place], expected)


def test_the_features_are_those_of_the_encoder_where_all_is_seen():
    method = make()
    vit, images = method.encoder.network, method.encoder.normalise(batch().images)
    order = torch.randperm(16, generator=torch.Generator().manual_seed(0)).expand(6, -1)
    vectors = vit.forward_tokens(vit.tokens(images)[:, order[0]])
    torch.testing.assert_close(vit.pool(vectors, vit.waves[order]), method.encoder(batch().images))


@pytest.mark.parametrize("normalise", [False, True])
def test_a_completion_is_the_truth_where_it_was_not_asked(normalise):
    method = make(channels=2, size=(8, 12), normalise=normalise)
    views = drawn(method, channels=2, size=(8, 12))
    found = method.complete(views)
    assert torch.equal(found.images, views.images) and found.missing.shape == (6, 1, 8, 12)
    assert found.missing.flatten(1).sum(1).tolist() == [18 * 4] * 6
    visible = ~found.missing.expand_as(found.images)
    assert torch.equal(found.completed[visible], views.images[visible])
    assert torch.equal(found.masked[visible], views.images[visible])
    assert bool((found.masked[~visible] == torch.tensor(0.3)).all())
    assert found.completed.min() >= 0 and found.completed.max() <= 1 and not found.completed.requires_grad


def test_right_answers_complete_the_truth():
    method = make(normalise=True)
    views = drawn(method)
    method._answers = lambda views: method._targets(views.images)
    found = method.complete(views)
    torch.testing.assert_close(found.completed, found.images, atol=1e-5, rtol=0)
    assert method(views).loss == 0 and method(views).logs["explained"] == 1


def test_a_flat_patch_does_no_harm():
    method = make(normalise=True)
    views = drawn(method)._replace(images=torch.zeros(6, 1, 8, 8))
    step = method(views)
    assert step.loss.isfinite() and step.logs["explained"] == 0


def test_learns_to_fill_digits():
    """More of the pixels' variance is explained than the mean image explains: the visible patches were looked at."""
    digits = read_digits().train
    method = make(mask=0.5, decoder_width=64)
    loader = Loader(images=digits, index=torch.arange(512), batch_size=64, seed=0)
    fit(
        method, loader, Plan(epochs=25, batch_size=64, lr=3e-3), Engine(device=torch.device("cpu"), precision="float32")
    )
    held_out = digits.take(torch.arange(600, 1000))
    views = method.views(ImageBatch(held_out, torch.zeros(400), torch.arange(400)), generator(0, "v"))
    assert method(views).logs["explained"] > 0.1


def test_bfloat16_is_near():
    method = make()
    views = drawn(method)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = method(views)
    assert rounded.loss.dtype == torch.float32
    assert rounded.loss.item() == pytest.approx(method(views).loss.item(), rel=0.05)


def test_another_encoder_is_refused_with_what_to_do():
    other = encoder("convnet", channels=1, size=(8, 8), mean=[0.4], std=[0.3], seed=0)
    with pytest.raises(SettingsError, match="mae needs the encoder vit") as caught:
        MAE(other, Chain(()), Config())
    assert caught.value.fix == "use --encoder vit, or the method masked_patch with convnet"
    assert MAE.needs_encoder == "vit"


@pytest.mark.parametrize("mask", [0, 1, -0.5, 1.5, float("nan")])
def test_a_share_outside_0_to_1_is_named(mask):
    (problem,) = Config(mask=mask).problems()
    assert problem.startswith("mask is the share of the patches that are hidden, above 0 and below 1")


def test_other_problems_are_named():
    problems = Config(mask=0, decoder_width=40, decoder_depth=0).problems()
    assert [problem.split()[0] for problem in problems] == ["mask", "decoder_width", "decoder_depth"]
    assert Config().problems() == []


def test_doubts():
    noise = torch.rand(200, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    assert len(doubts(noise)) == 1
    digits = read_digits().train.take(torch.arange(400)).float() / 255
    assert doubts(digits) == []
