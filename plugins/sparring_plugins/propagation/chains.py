"""Layers of torch that act one after the other."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

__all__ = ["chain_of", "is_layer"]


def is_layer(module: nn.Module | None) -> bool:
    """Whether torch.fx takes this for one operation; a class that is derived from one is of another Python module."""
    return type(module).__module__.startswith(("torch.nn.", "torch.ao.nn.")) and not isinstance(module, nn.Sequential)


def chain_of(module: nn.Module) -> dict[str, nn.Module] | None:
    """Layers by their paths, as `nn.Sequential` holds them, or one within another; None for anything else."""
    if type(module) is not nn.Sequential:
        return None
    found = dict(_chain(module, ""))
    layers = {path: layer for path, layer in found.items() if layer is not None and is_layer(layer)}
    return layers if len(layers) == len(found) else None


def _chain(module: nn.Module, before: str) -> Iterator[tuple[str, nn.Module | None]]:
    for name, part in module._modules.items():
        if part is not None and type(part) is nn.Sequential:
            yield from _chain(part, f"{before}{name}.")
        else:
            yield before + name, part
