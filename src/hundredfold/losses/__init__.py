"""Losses: one formula a file, a pure function of tensors [n, d] and a module that keeps its settings."""

from hundredfold.losses.nt_xent import NTXentLoss, nt_xent
from hundredfold.losses.variance_reduction import VarianceReductionLoss, variance_reduction

__all__ = ["NTXentLoss", "VarianceReductionLoss", "nt_xent", "variance_reduction"]
