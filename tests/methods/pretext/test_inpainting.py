"""What is peculiar to inpainting: where the hole is, what its band counts, and a decoder that mirrors the encoder."""

import pytest
import torch

from hundredfold.data.digits import read_digits
from hundredfold.data.loader import Loader
from hundredfold.encoders.build import encoder
from hundredfold.errors import SettingsError
from hundredfold.methods.pretext.inpainting import Config, Inpainting, doubts
from hundredfold.random import generator
from hundredfold.train.engine import Engine
from hundredfold.train.loop import fit
from hundredfold.train.plan import Plan
from hundredfold.types import ImageBatch
from hundredfold.views.chain import Chain
from hundredfold.views.rotation import Rotation

CONVNET = {"widths": [8, 16], "features": 32}


def make(size=(8, 8), channels=1, name="convnet", widths=CONVNET, **settings):
    means = {"mean": [0.3] * channels, "std": [0.3] * channels}
    small = encoder(name, channels=channels, size=size, settings=widths, seed=0, **means)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Inpainting(small, Chain(()), Config(**settings))


def batch(count=6, channels=1, size=(8, 8)):
    images = torch.rand(count, channels, *size, generator=torch.Generator().manual_seed(1))
    return ImageBatch(images, torch.full((count,), -1), torch.arange(count))


def boxes(missing):
    """(top, left, height, width) of what is missing of each image, which must be one box."""
    for one in missing[:, 0]:
        rows, columns = one.any(1).nonzero().flatten().tolist(), one.any(0).nonzero().flatten().tolist()
        assert one.sum() == len(rows) * len(columns)
        assert rows == list(range(rows[0], rows[-1] + 1)) and columns == list(range(columns[0], columns[-1] + 1))
        yield rows[0], columns[0], len(rows), len(columns)


@pytest.mark.parametrize("size, box", [((8, 8), (2, 2, 4, 4)), ((28, 28), (7, 7, 14, 14)), ((4, 12), (1, 3, 2, 6))])
def test_the_centre_is_a_quarter_of_the_area(size, box):
    missing = make(size, region="centre").hide(3, size, generator(0, "v"))
    assert missing.shape == (3, 1, *size) and missing.dtype == torch.bool
    assert list(boxes(missing)) == [box] * 3


def test_random_is_the_same_box_anywhere():
    found = list(boxes(make(region="random").hide(400, (8, 8), generator(0, "v"))))
    assert {box[2:] for box in found} == {(4, 4)}
    assert {box[:2] for box in found} == {(top, left) for top in range(5) for left in range(5)}


def test_blocks_are_several_and_at_most_a_quarter():
    missing = make(size=(16, 16), region="blocks").hide(300, (16, 16), generator(0, "v"))
    covered = missing.flatten(1).sum(1)
    assert covered.max() == 4 * 16 and covered.min() >= 16 and len(covered.unique()) > 5


@pytest.mark.parametrize("area", [1e-6, 0.999])
def test_something_is_taken_and_something_is_left(area):
    for region in ("centre", "random", "blocks"):
        missing = make(region=region, area=area).hide(20, (8, 8), generator(0, "v")).flatten(1)
        assert bool(missing.any(1).all()) and not bool(missing.all(1).any())


def test_the_band_counts_more():
    method = make((28, 28), region="centre", overlap=0.05, overlap_weight=10)
    weights = method.weights(method.hide(1, (28, 28), generator(0, "v")))[0, 0]
    expected = torch.zeros(28, 28)
    expected[6:22, 6:22] = 10
    expected[7:21, 7:21] = 1
    assert torch.equal(weights, expected)
    assert torch.equal(make(overlap=0.0).weights(expected[None, None] == 1), (expected == 1)[None, None].float())


def test_views_are_drawn_where_asked_for():
    small, images = make().encoder, batch().images
    still, moved = (
        Inpainting(small, Chain((Rotation(degrees=90),)), Config(augment=augment)).views(batch(), generator(0, "v"))
        for augment in (False, True)
    )
    assert torch.equal(still.images, images) and not torch.equal(moved.images, images)


def test_the_loss_by_hand():
    method = make(channels=2, overlap=0.2, overlap_weight=3).eval()
    views = method.views(batch(channels=2), generator(0, "v"))
    seen = views.images.clone()
    seen[views.missing.expand_as(seen)] = 0.3
    answers = method.decoder(method.encoder(seen))
    total = count = 0.0
    for b in range(6):
        inside = views.missing[b, 0].tolist()
        for y in range(8):
            for x in range(8):
                near = any(inside[j][i] for j in range(8) for i in range(8) if max(abs(j - y), abs(i - x)) <= 2)
                weight = 1 if inside[y][x] else 3 if near else 0
                for c in range(2):
                    total += weight * (answers[b, c, y, x].item() - views.images[b, c, y, x].item()) ** 2
                    count += weight
    assert method(views).loss.item() == pytest.approx(total / count, rel=1e-4)
    assert method.levels(10) == (None, 0.0)


def test_what_is_hidden_is_not_seen():
    method = make().eval()
    views = method.views(batch(), generator(0, "v"))
    other = views._replace(images=torch.where(views.missing, torch.rand(1), views.images))
    assert torch.equal(method.complete(views).masked, method.complete(other).masked)
    one, same = method.complete(views).completed, method.complete(other).completed
    assert torch.equal(one[views.missing], same[views.missing])


def test_a_completion_is_the_truth_where_it_was_not_asked():
    method = make().eval()
    views = method.views(batch(), generator(0, "v"))
    found = method.complete(views)
    assert torch.equal(found.images, views.images) and torch.equal(found.missing, views.missing)
    assert torch.equal(found.completed[~views.missing], views.images[~views.missing])
    assert torch.equal(found.masked[~views.missing], views.images[~views.missing])
    assert bool((found.masked[views.missing] == torch.tensor(0.3)).all())
    assert found.completed.min() >= 0 and found.completed.max() <= 1 and not found.completed.requires_grad


def test_learns_to_fill_digits():
    """More of the pixels' variance is explained than the mean image explains: what is around was looked at."""
    digits = read_digits().train
    method = make(region="centre", overlap=0.0)
    loader = Loader(images=digits, index=torch.arange(512), batch_size=64, seed=0)
    fit(
        method, loader, Plan(epochs=15, batch_size=64, lr=3e-3), Engine(device=torch.device("cpu"), precision="float32")
    )
    held_out = digits.take(torch.arange(600, 1000))
    views = method.views(ImageBatch(held_out, torch.zeros(400), torch.arange(400)), generator(0, "v"))
    assert method(views).logs["explained"] > 0.25


@pytest.mark.parametrize("name, settings", [("resnet18", {}), ("vit", {"width": 16, "depth": 1, "heads": 2})])
def test_any_encoder_with_a_mirror_image(name, settings):
    method = make(size=(8, 12), channels=3, name=name, widths=settings)
    assert method(method.views(batch(channels=3, size=(8, 12)), generator(0, "v"))).loss.isfinite()


def test_an_encoder_that_cannot_be_mirrored_is_refused():
    small = encoder("convnet", channels=1, size=(8, 8), mean=[0.4], std=[0.3], settings=CONVNET, seed=0)
    small.spec = type(small.spec)(**{**vars(small.spec), "name": "hf:somebody/something"})
    with pytest.raises(SettingsError, match="hf:somebody/something cannot be mirrored"):
        Inpainting(small, Chain(()), Config())


def test_images_too_small_for_a_hole():
    with pytest.raises(SettingsError, match="images of 3x8 are too small") as caught:
        make(size=(3, 8), widths={"widths": [4], "features": 8})
    assert "4x4" in caught.value.fix


def test_every_problem_is_named():
    problems = Config(area=1.0, overlap=0.6, overlap_weight=-1).problems()
    assert [problem.split()[0] for problem in problems] == ["area", "overlap", "overlap_weight"]
    assert Config().problems() == [] and len(Config(area=0).problems()) == 1


def test_doubts_noise():
    noise = torch.rand(200, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    assert len(doubts(noise)) == 1
    digits = read_digits().train.take(torch.arange(400)).float() / 255
    assert doubts(digits) == []
