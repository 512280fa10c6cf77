"""Activation functions by name; imported only where torch is needed."""

from __future__ import annotations

from torch import nn

from sparring.errors import RequestError, nearest

__all__ = ["activation"]

KNOWN: dict[str, type[nn.Module]] = {
    "none": nn.Identity, "tanh": nn.Tanh, "relu": nn.ReLU, "elu": nn.ELU, "hardtanh": nn.Hardtanh,
    "leaky_relu": nn.LeakyReLU, "sigmoid": nn.Sigmoid, "gelu": nn.GELU, "silu": nn.SiLU,
}  # fmt: skip


def activation(name: object) -> nn.Module:
    """A module of that activation, as torch sets it unless told otherwise.

    Raises:
        RequestError: there is none of that name.
    """
    if not isinstance(name, str) or name not in KNOWN:
        raise RequestError(f"there is no activation {name!r}; {nearest(str(name), KNOWN)}")
    return KNOWN[name]()
