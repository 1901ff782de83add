"""Losses: one formula a file, a pure function of tensors [n, d] and a module that keeps its settings."""

from hundredfold.losses.barlow_twins import BarlowTwinsLoss, barlow_twins
from hundredfold.losses.dcl import DCLLoss, dcl
from hundredfold.losses.dhel import DHELLoss, dhel
from hundredfold.losses.independently_additive import IndependentlyAdditiveLoss, independently_additive
from hundredfold.losses.info_nce import InfoNCELoss, info_nce
from hundredfold.losses.info_nce_based import InfoNCEBasedLoss, info_nce_based
from hundredfold.losses.nt_xent import NTXentLoss, nt_xent
from hundredfold.losses.siglip import SigLIPLoss, siglip
from hundredfold.losses.spectral import SpectralLoss, spectral
from hundredfold.losses.supervised_contrastive import SupervisedContrastiveLoss, supervised_contrastive
from hundredfold.losses.swapped_prediction import swapped_prediction
from hundredfold.losses.triplet_margin import TripletMarginLoss, triplet_margin
from hundredfold.losses.variance_reduction import VarianceReductionLoss, variance_reduction
from hundredfold.losses.vicreg import VICRegLoss, vicreg

__all__ = [
    "BarlowTwinsLoss",
    "DCLLoss",
    "DHELLoss",
    "IndependentlyAdditiveLoss",
    "InfoNCEBasedLoss",
    "InfoNCELoss",
    "NTXentLoss",
    "SigLIPLoss",
    "SpectralLoss",
    "SupervisedContrastiveLoss",
    "TripletMarginLoss",
    "VICRegLoss",
    "VarianceReductionLoss",
    "barlow_twins",
    "dcl",
    "dhel",
    "independently_additive",
    "info_nce",
    "info_nce_based",
    "nt_xent",
    "siglip",
    "spectral",
    "supervised_contrastive",
    "swapped_prediction",
    "triplet_margin",
    "variance_reduction",
    "vicreg",
]
