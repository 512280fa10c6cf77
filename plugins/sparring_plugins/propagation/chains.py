"""Layers of torch that act one after the other."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeGuard

from torch import nn

__all__ = ["chain_of", "is_layer"]


def is_layer(module: nn.Module | None) -> TypeGuard[nn.Module]:
    """Whether torch.fx takes this for one operation; a class that is derived from one is of another Python module."""
    kind: Any = type(module)
    return _is_of_layers(kind)


@lru_cache(maxsize=256)
def _is_of_layers(kind: Any) -> bool:
    return kind.__module__.startswith(("torch.nn.", "torch.ao.nn.")) and not issubclass(kind, nn.Sequential)


def chain_of(module: nn.Module) -> dict[str, nn.Module] | None:
    """Layers by their paths, as `nn.Sequential` holds them, or one within another; None for anything else."""
    if type(module) is not nn.Sequential:
        return None
    found: dict[str, nn.Module] = {}
    return found if _chain(module, "", found) else None


def _chain(module: nn.Module, before: str, found: dict[str, nn.Module]) -> bool:
    """Put layers where they are found; whether that was all there is."""
    for name, part in module._modules.items():
        if is_layer(part):
            found[before + name] = part
        elif type(part) is not nn.Sequential or not _chain(part, f"{before}{name}.", found):
            return False
    return True
