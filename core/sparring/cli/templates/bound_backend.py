"""Interval bound propagation through chains of linear layers and ReLUs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sparring import hookimpl
from sparring.bounds import BoundBackend, Region
from sparring.errors import RefusedError, RequestError

if TYPE_CHECKING:
    from torch import Tensor, nn

NAME = "template-name"


class TemplateNameBounds(BoundBackend):
    """Boxes pass from layer to layer; sound, fast and loose."""

    name: ClassVar[str] = NAME
    summary: ClassVar[str] = "interval propagation through Linear, ReLU and Flatten layers"
    source: ClassVar[str] = "Gowal et al. 2018, section 3"
    interface: ClassVar[int] = 1

    def bound(self, module: nn.Module, region: Region, spec: Tensor | None) -> tuple[Tensor, Tensor]:
        """Propagate the box around the region; `spec` is multiplied into the last box."""
        low, high = _box(region)
        for path, layer in _layers(module, ""):
            low, high = _through(layer, path, low, high)
        if spec is None:
            return low, high
        if spec.shape[-1] != low.shape[-1]:
            raise RequestError(f"bounds {NAME}: spec has {spec.shape[-1]} columns for {low.shape[-1]} outputs")
        return _affine(spec, None, low, high)


def _box(region: Region) -> tuple[Tensor, Tensor]:
    """The smallest box around the region, [batch, *features] each; balls of every norm lie in it."""
    import torch

    low, high = region.corners
    if not bool((torch.isfinite(low) & torch.isfinite(high)).all()):
        raise RequestError(f"bounds {NAME}: the region has no end; give a finite radius, or low and high")
    return low, high


def _layers(module: nn.Module, path: str) -> list[tuple[str, nn.Module]]:
    """The layers of a chain in the order they act, with their paths."""
    from torch import nn

    if not isinstance(module, nn.Sequential):
        return [(path or "the module itself", module)]
    return [found for name, child in module.named_children() for found in _layers(child, f"{path}.{name}".lstrip("."))]


def _through(layer: nn.Module, path: str, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    from torch import nn

    if isinstance(layer, nn.Linear):
        return _affine(layer.weight, layer.bias, low, high)
    if isinstance(layer, nn.ReLU | nn.Flatten | nn.Identity):  # monotone, so the corners pass through
        return layer(low), layer(high)
    raise RefusedError(f"bounds {NAME}: no rule for {type(layer).__name__} at {path!r}")


def _affine(weight: Tensor, bias: Tensor | None, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Each output takes the corner that suits it; a weight [batch, rows, inputs] has a matrix for each sample."""
    import torch

    up, down = weight.clamp(min=0), weight.clamp(max=0)
    lower = torch.einsum("...ri,...i->...r", up, low) + torch.einsum("...ri,...i->...r", down, high)
    upper = torch.einsum("...ri,...i->...r", up, high) + torch.einsum("...ri,...i->...r", down, low)
    return (lower, upper) if bias is None else (lower + bias, upper + bias)


@hookimpl
def sparring_bound_backends() -> list[type[BoundBackend]]:
    """Give `template-name`."""
    return [TemplateNameBounds]
