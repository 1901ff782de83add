"""Losses: one formula a file, a pure function of tensors [n, d] and a module that keeps its settings."""

from hundredfold.losses.nt_xent import NTXentLoss, nt_xent

__all__ = ["NTXentLoss", "nt_xent"]
