"""One small pair of views, and what each loss gives for it: numbers that were computed elsewhere, in numpy."""

from functools import partial

import pytest
import torch

from hundredfold import losses

U = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-0.6, 0.8]], dtype=torch.float64)
V = torch.tensor([[0.8, 0.6], [-0.6, 0.8], [-1.0, 0.0]], dtype=torch.float64)
T = 0.5
softplus = torch.nn.functional.softplus


def exp(x):
    return (x / T).exp()


def attract(temperature, b):
    """phi of SigLIP; the b of Lee et al. is the bias with the other sign."""
    return lambda x: -softplus(-temperature * x + b)


def repel(temperature, b):
    """psi of SigLIP; in the batch n - 1 is 2."""
    return lambda x: 2 * softplus(temperature * x - b)


based, additive = losses.info_nce_based, losses.independently_additive
VALUES = {
    "InfoNCE": (0.6383895665541801, partial(losses.info_nce, temperature=T)),
    "InfoNCE, as NT-Xent": (0.6383895665541801, partial(losses.nt_xent, temperature=T, negatives="cross")),
    "InfoNCE, of its family": (0.6383895665541801, partial(based, phi=exp, psi=torch.log1p, within=False)),
    "NT-Xent": (0.9852460106277032, partial(losses.nt_xent, temperature=T)),
    "NT-Xent, of its family": (0.9852460106277032, partial(based, phi=exp, psi=torch.log1p)),
    "DCL": (0.40471934515734803, partial(losses.dcl, temperature=T)),
    "DCL, of its family": (0.40471934515734803, partial(based, phi=exp, psi=torch.log)),
    "DHEL": (-0.36459465516188627, partial(losses.dhel, temperature=T)),
    "DHEL, as DCL": (-0.36459465516188627, partial(losses.dcl, temperature=T, negatives="within")),
    "DHEL, of its family": (-0.36459465516188627, partial(based, phi=exp, psi=torch.log, cross=False)),
    "SigLIP": (2.994464656958755, partial(losses.siglip, temperature=10.0, bias=-10.0)),
    "SigLIP, of its family": (2.994464656958755, partial(additive, phi=attract(10, 10), psi=repel(10, 10))),
    "SigLIP, 2 and 0": (1.9992664223322023, partial(losses.siglip, temperature=2.0, bias=0.0)),
    "SigLIP, 2 and 0, of its family": (1.9992664223322023, partial(additive, phi=attract(2, 0), psi=repel(2, 0))),
    "SigLIP with both negatives": (
        3.6928200148564123,
        partial(additive, phi=attract(2, 0), psi=repel(2, 0), within=True),
    ),
    "spectral": (-0.28, losses.spectral),
    "spectral, of its family": (-0.28, partial(additive, phi=lambda x: x, psi=torch.square)),
    "VRNS, n = 3": (0.70333333333333333, partial(losses.variance_reduction, images=3)),
    "VRNS, n = 50000": (0.4533333337333, partial(losses.variance_reduction, images=50000)),
}


@pytest.mark.parametrize(("expected", "loss"), VALUES.values(), ids=VALUES)
def test_value(expected, loss):
    assert float(loss(U, V)) == pytest.approx(expected, rel=1e-12)


def test_similarities_of_the_pair():
    cosine = U @ V.T
    negative = cosine[~torch.eye(3, dtype=torch.bool)]
    assert float(negative.mean()) == pytest.approx(0, abs=1e-12)
    assert float(negative.var(correction=0)) == pytest.approx(0.4533333333333)
    assert float(cosine.diagonal().mean()) == pytest.approx(0.7333333333333)
