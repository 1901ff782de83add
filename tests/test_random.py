"""One generator for each place in a run: the same place gives the same numbers, another place gives others."""

import hashlib

import numpy as np
import torch

from hundredfold.random import derive, generator, numpy_generator


def test_depends_on_every_argument():
    places = [
        (0, "views"),
        (1, "views"),
        (0, "shuffle"),
        (0, "views", 0),
        (0, "views", 1),
        (0, "views", 0, 0),
        (0, "views", 1, 0),
        (0, "views", 0, 1),
        (-1, "views"),
        (1, "views", 1),
        (11, "views"),
    ]
    seeds = [derive(*place) for place in places]
    assert len(set(seeds)) == len(places) and all(0 <= seed < 2**63 for seed in seeds)


def test_is_the_hash_of_the_place_for_ever():
    digest = hashlib.blake2b(b"3/views/7/1", digest_size=8).digest()  # another formula would break every old run
    assert derive(3, "views", 7, 1) == int.from_bytes(digest, "big") // 2


def test_generators_start_again_and_leave_the_global_ones_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    assert torch.equal(torch.rand(5, generator=generator(0, "a", 1)), torch.rand(5, generator=generator(0, "a", 1)))
    assert not torch.equal(torch.rand(5, generator=generator(0, "a")), torch.rand(5, generator=generator(0, "b")))
    np.testing.assert_array_equal(numpy_generator(0, "a").random(5), numpy_generator(0, "a").random(5))
    assert torch.equal(before, torch.get_rng_state())


def test_neighbouring_places_are_unrelated():
    rows = torch.stack([torch.randn(2000, generator=generator(0, "views", step)) for step in range(8)])
    correlation = torch.corrcoef(rows) - torch.eye(8)
    assert correlation.abs().max() < 0.1  # about 4.5 standard deviations of 1 / sqrt(2000)
