import pytest
import torch

from hundredfold.views.solarise import Solarise


def test_bright_pixels_of_the_chosen_are_inverted():
    images = torch.tensor([0.0, 0.25, 0.5, 1.0]).expand(2, 1, 1, 4).contiguous()
    got = Solarise(threshold=0.5).apply(images, {"chosen": torch.tensor([True, False])})
    assert got[0].flatten().tolist() == [0.0, 0.25, 0.5, 0.0]
    assert torch.equal(got[1], images[1])
    assert Solarise(threshold=0.2).apply(images, {"chosen": torch.tensor([True, True])})[1, 0, 0, 1].item() == 0.75


def test_as_many_are_chosen_as_asked():
    drawn = Solarise(probability=0.2).draw(5_000, (4, 4), torch.Generator().manual_seed(0))
    assert drawn["chosen"].float().mean().item() == pytest.approx(0.2, abs=0.03)
