from dataclasses import asdict

import pytest
import torch

from hundredfold.encoders.build import encoder
from hundredfold.errors import SettingsError
from hundredfold.methods import catalogue
from hundredfold.methods.contrastive.simclr import Config, SimCLR
from hundredfold.views.chain import Chain


def small():
    settings = {"widths": [4], "features": 8}
    return encoder("convnet", channels=1, size=(4, 4), mean=[0.5], std=[0.5], settings=settings, seed=0)


def test_names_are_read_off_the_folders():
    found = {method.name: method for method in catalogue.names()}
    assert found["simclr"].family == "contrastive" and "arXiv 2002.05709" in found["simclr"].paper
    assert not {"catalogue", "_base", "finetune"} & found.keys()
    assert list(found) == sorted(found, key=lambda name: (found[name].family, name))


def test_settings_are_checked_together_and_unknown_names_get_the_nearest():
    with pytest.raises(SettingsError, match="did you mean 'simclr'"):
        catalogue.config("simcrl", {})
    problems = catalogue.problems("simclr", {"temprature": 0.1, "temperature": -1, "hidden": "wide"})
    assert len(problems) == 3 and "did you mean 'method_settings.temperature'" in problems[0]
    assert catalogue.problems("simclr", {"temperature": 0.5}) == []


def test_what_is_not_given_keeps_its_default():
    assert catalogue.resolved("simclr", {"hidden": 64}) == asdict(Config(hidden=64))
    assert catalogue.resolved("simclr", {"hidden": "wide"}) == {"hidden": "wide"}, "told elsewhere, not lost here"


def test_weights_that_a_method_adds_follow_the_seed_alone():
    heads = []
    for seed, noise in ((1, 5), (1, 6), (2, 5)):
        torch.manual_seed(noise)
        before = torch.get_rng_state()
        method = catalogue.build("simclr", small(), Chain(()), {"hidden": 8, "projection": 4}, seed=seed)
        assert isinstance(method, SimCLR) and torch.equal(before, torch.get_rng_state())
        heads.append(torch.cat([p.detach().flatten() for p in method.head.parameters() if p.dim() > 1]))
    assert torch.equal(heads[0], heads[1]) and not torch.equal(heads[0], heads[2])
