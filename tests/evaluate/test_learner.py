"""Each of the compared models learns, repeats, and reads no label that it was not given."""

from dataclasses import replace

import pytest
import torch

from hundredfold.data.images import ImageSet, MemoryPixels
from hundredfold.encoders.build import encoder
from hundredfold.evaluate import learner as learning
from hundredfold.evaluate.features import features, pixels
from hundredfold.evaluate.learner import CANDIDATES, MODELS, REFERENCES, SLOW, Learner, LearnerSettings, Learnt
from hundredfold.evaluate.self_training import FixMatchSettings, StudentSettings
from hundredfold.evaluate.supervised import FinetuneSettings
from hundredfold.train.engine import choose_engine
from hundredfold.views.recipe import ViewSettings

ENGINE = choose_engine(precision="float32")
IMAGES, CLASSES = 90, 3
TRUTH = torch.arange(IMAGES) % CLASSES
TEST = torch.arange(60, IMAGES)
KNOWN = torch.arange(0, 15)  # labels of two draws, say
TAUGHT = torch.arange(0, 12)  # four of each class
SETTINGS = LearnerSettings(
    views=ViewSettings(translation=0.1),
    finetune=FinetuneSettings(steps=20, lr=1e-3, baseline_lr=3e-3),
    pseudo_label=StudentSettings(steps=40, batch_size=32, lr=3e-3, momentum=0.9),
    fixmatch=FixMatchSettings(steps=20, batch_size=32, lr=1e-3, momentum=0.9, labelled=12),
)


def make_images(labels: torch.Tensor = TRUTH) -> ImageSet:
    """Noisy 8x8 images of three classes."""
    rng = torch.Generator().manual_seed(7)
    noisy = torch.rand(CLASSES, 1, 8, 8, generator=rng)[TRUTH] + 0.2 * torch.randn(IMAGES, 1, 8, 8, generator=rng)
    pixels = MemoryPixels((noisy.clamp(0, 1) * 255).to(torch.uint8))
    return ImageSet(source="toy", pixels=pixels, labels=labels, classes=("a", "b", "c"))


def make(labels: torch.Tensor = TRUTH, **changes: object) -> Learner:
    settings = {"widths": [4], "features": 16}
    start = encoder("convnet", channels=1, size=(8, 8), mean=[0.5], std=[0.25], settings=settings, seed=0)
    options: dict = dict(pool=torch.arange(60), known=KNOWN, classes=CLASSES, settings=SETTINGS, engine=ENGINE, seed=0)
    return Learner(start, make_images(labels), **{**options, **changes})


def predicted(learner: Learner, learnt: Learnt) -> torch.Tensor:
    return learner.probabilities(learnt, make_images().without_labels(), TEST)


def same(one: Learnt, other: Learnt) -> bool:
    heads = [{k: v for k, v in vars(learnt.head).items() if isinstance(v, torch.Tensor)} for learnt in (one, other)]
    weights = [learnt.encoder.state_dict() if learnt.encoder else {} for learnt in (one, other)]
    return all(
        a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a) for a, b in (heads, weights)
    ) and (one.hyperparameters, one.cross_validation) == (other.hyperparameters, other.cross_validation)


def test_the_models_are_nine() -> None:
    assert (*REFERENCES, *CANDIDATES) == MODELS and len(set(MODELS)) == 9 and set(SLOW) < set(CANDIDATES)


@pytest.mark.parametrize("model", MODELS)
def test_it_learns_and_repeats_and_touches_nothing_else(model: str) -> None:
    learner = make()
    before = {name: value.clone() for name, value in learner.encoder.state_dict().items()}
    torch.manual_seed(1)
    state = torch.get_rng_state()
    learnt = learner.learn(model, TAUGHT, seed=3)
    assert torch.equal(state, torch.get_rng_state()), "the global generator was used"
    shares = predicted(learner, learnt)
    torch.testing.assert_close(shares.sum(1), torch.ones(len(TEST)))
    assert (shares.argmax(1) == TRUTH[TEST]).float().mean() > 0.6, "chance is a third"
    assert all(torch.equal(value, before[name]) for name, value in learner.encoder.state_dict().items())
    assert learner.encoder.training, "left in the mode in which it was"

    torch.manual_seed(2)
    again = make()
    assert same(learnt, again.learn(model, TAUGHT, seed=3))
    assert torch.equal(shares, predicted(again, again.learn(model, TAUGHT, seed=3))), "also by what was kept"


@pytest.mark.parametrize("model", MODELS)
def test_labels_elsewhere_are_never_read(model: str) -> None:
    poison = torch.full((IMAGES,), 10**6)
    poison[TAUGHT] = TRUTH[TAUGHT]
    clean, poisoned = make(), make(poison)
    assert same(clean.learn(model, TAUGHT, seed=0), poisoned.learn(model, TAUGHT, seed=0))


@pytest.mark.parametrize("model", ["baseline", *SLOW, "finetune", "random_encoder"])
def test_the_seed_decides(model: str) -> None:
    """Of what is drawn: random starts, batches, views."""
    one, other = make(), make(seed=1)
    assert not same(one.learn(model, TAUGHT, seed=0), other.learn(model, TAUGHT, seed=1))


@pytest.mark.parametrize("model", [model for model in MODELS if model not in ("pixels", "baseline", "random_encoder")])
def test_candidates_can_be_handed_over(model: str) -> None:
    """They read features of an encoder; networks have one of their own."""
    learner = make()
    learnt = learner.learn(model, TAUGHT, seed=0)
    assert learnt.encoder is not None
    assert (learnt.encoder is learner.encoder) == (model in ("knn", "linear_probe", "label_propagation"))
    read = features(learnt.encoder, make_images(), TEST, ENGINE)
    torch.testing.assert_close(learnt.head.probabilities(read), predicted(learner, learnt))


@pytest.mark.parametrize("model", MODELS)
def test_a_class_without_a_label_is_never_predicted(model: str) -> None:
    taught = TAUGHT[TRUTH[TAUGHT] != 1]
    learner = make()
    shares = predicted(learner, learner.learn(model, taught, seed=0))
    assert shares.isfinite().all() and (shares.argmax(1) != 1).all()


@pytest.mark.parametrize("model", MODELS)
def test_one_label_a_class_is_enough(model: str) -> None:
    learner = make()
    learnt = learner.learn(model, TAUGHT[:3], seed=0)
    assert predicted(learner, learnt).isfinite().all() and learnt.cross_validation is None


def test_what_cross_validation_found_is_told() -> None:
    learner = make()
    for model, chosen in (("knn", {"k"}), ("linear_probe", {"inverse_penalty"}), ("label_propagation", set())):
        learnt = learner.learn(model, TAUGHT, seed=0)
        assert learnt.hyperparameters.keys() == chosen
        assert learnt.cross_validation is not None and 0.5 < learnt.cross_validation <= 1


@pytest.mark.parametrize("order", [(), ("label_propagation",), ("knn", "linear_probe", "pseudo_label")])
def test_features_are_the_same_whatever_was_learnt_before(order: tuple[str, ...]) -> None:
    """To the last bit, which depends on the batch: or a run that was interrupted would not end as the unbroken one."""
    asked = torch.tensor([3, 17, 59])
    fresh, used = make(), make()
    for model in order:
        used.learn(model, TAUGHT, seed=0)
    own = (used.encoder, used.images)
    assert torch.equal(used.read(*own, asked), fresh.read(fresh.encoder, fresh.images, asked))
    assert torch.equal(used.read(*own, used.known), fresh.read(fresh.encoder, fresh.images, fresh.known))
    assert torch.equal(used.graph().features, fresh.graph().features)


def test_features_are_those_of_the_images_asked_for() -> None:
    learner = make()
    asked = torch.tensor([40, 3, 17])
    for images in (learner.images, make_images()):
        found = learner.read(learner.encoder, images, asked)
        torch.testing.assert_close(found, features(learner.encoder, images, asked, ENGINE), atol=1e-6, rtol=1e-5)
    assert torch.equal(learner.read(None, learner.images, asked), pixels(make_images(), asked))


def test_what_several_models_read_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    computed = []

    def counted(network: object, images: ImageSet, index: torch.Tensor, *rest: object) -> torch.Tensor:
        computed.append((network, len(index)))
        return features(network, images, index, *rest)

    monkeypatch.setattr(learning, "features", counted)
    learner, test = make(), make_images().without_labels()
    for model in ("knn", "linear_probe", "label_propagation", "random_encoder"):
        for seed in (0, 1):
            learner.probabilities(learner.learn(model, TAUGHT, seed=seed), test, TEST)
    own, random = learner.encoder, learner.random_encoder()
    assert sorted(count for network, count in computed if network is own) == [15, 30, 60], "known, test, nodes"
    assert sorted(count for network, count in computed if network is random) == [15, 30]
    learner.probabilities(learner.learn("finetune", TAUGHT, seed=0), test, TEST)
    assert len(learner._kept) == 4, "features of a network that is used once are not kept"


def test_the_same_positions_in_another_set_are_other_images() -> None:
    learner, other = (
        make(),
        replace(make_images(), pixels=MemoryPixels(make_images().pixels.take(torch.arange(90)).flip(0))),
    )
    one, two = (learner.read(learner.encoder, images, TEST) for images in (make_images(), other))
    assert not torch.allclose(one, two)


def test_known_images_need_not_be_in_the_pool() -> None:
    """Labels may be of images that are kept out of it; they are nodes all the same."""
    learner = make(pool=torch.arange(20, 60))
    assert learner.nodes.tolist() == [*range(15), *range(20, 60)]
    spread = learner.propagation(TAUGHT, seed=0)
    assert len(spread.mass) == 55
    right = spread.distributions().argmax(1) == TRUTH[learner.nodes]
    assert right.float().mean() > 0.6
    for model in SLOW:
        assert predicted(learner, learner.learn(model, TAUGHT, seed=0)).isfinite().all()
