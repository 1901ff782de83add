"""Methods: ways to learn an encoder, one a file, in the families of self-supervised learning."""

from hundredfold.methods.catalogue import MethodInfo, names

__all__ = ["MethodInfo", "names"]
