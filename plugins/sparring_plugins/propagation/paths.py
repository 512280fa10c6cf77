"""Where the modules are that a module is made of."""

from __future__ import annotations

from torch import nn

__all__ = ["paths_of"]


def paths_of(module: nn.Module) -> dict[nn.Module, str]:
    """A module and all that are inside of it with their paths: what `nn.Module.named_modules` gives, in less time."""
    found = {module: ""}
    _inside(module, "", found)
    return found


def _inside(module: nn.Module, before: str, found: dict[nn.Module, str]) -> None:
    for name, part in module._modules.items():
        if part is not None and part not in found:
            found[part] = path = before + name
            if part._modules:
                _inside(part, f"{path}.", found)
