"""What is checked of a module, a specification and a bound, so that a mistake is one line and no bound is silent."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from sparring.bounds import BoundBackend, Region
from sparring.errors import MissingError, RefusedError, RequestError
from sparring.policy import Ability, Policy
from sparring.registry import PluginError

try:
    import torch
    from torch import nn
except ImportError as error:
    raise MissingError(f"regions and bounds need torch ({error}): pip install 'sparring[torch]'") from None

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["check_module", "check_result", "check_spec", "explain"]

OTHER_IN_TRAINING = (nn.modules.batchnorm._NormBase, nn.modules.dropout._DropoutNd, nn.RReLU)
"""Layers that compute something else in training than in evaluation."""


def check_module(module: Any, region: Any) -> None:
    """Raise unless this is a module that computes one function of inputs like the region's."""
    if not isinstance(module, nn.Module):
        raise RequestError(f"bound: {_instead(module)}, expected a torch.nn.Module")
    if not isinstance(region, Region):
        raise RequestError(f"bound: the region is {_described(region)}, expected sparring.Region(center, radius)")
    # By hand: the generators of torch for modules and parameters take as long as a layer's bounds.
    layers, seen, own = [module], {module}, None
    for layer in layers:
        if own is None:
            own = next((weight for weight in layer._parameters.values() if weight is not None), None)
        for part in layer._modules.values():
            if part is not None and part not in seen:
                seen.add(part)
                layers.append(part)
        if layer.training and isinstance(layer, OTHER_IN_TRAINING):
            path = next(name for name, part in module.named_modules() if part is layer)
            kind = type(layer).__name__
            raise RequestError(
                f"bound: {_place(kind, path)} is in training mode, where it computes no fixed function; call .eval()"
            )
    center = region.center
    if own is not None and (own.dtype is not center.dtype or own.device != center.device):
        raise RequestError(
            f"bound: the region is {center.dtype} on {center.device}, the module {own.dtype} on {own.device}; "
            "move one to the other with .to()"
        )


def _place(kind: str, path: str) -> str:
    return f"the {kind} at {path!r}" if path else f"the {kind}"


def _described(thing: Any) -> str:
    return f"the class {thing.__name__}" if isinstance(thing, type) else f"of type {type(thing).__name__}"


def _instead(module: Any) -> str:
    """What was handed over in place of a module, with what was probably meant."""
    if isinstance(module, type) and issubclass(module, nn.Module):
        return f"the module is the class {module.__name__} itself; make one, {module.__name__}(...)"
    if isinstance(module, Policy) and Ability.MODULE in module.abilities:
        return f"the module is a policy, {type(module).__name__}; hand over its .module()"
    return f"the module is {_described(module)}"


def check_spec(spec: Any, region: Region) -> None:
    """Raise unless the specification is [rows, outputs] or [batch, rows, outputs], of the region's kind."""
    center = region.center
    if not isinstance(spec, torch.Tensor):
        raise RequestError(f"bound: the spec is {_described(spec)}, expected a tensor [rows, outputs] or None")
    shape, batch = list(spec.shape), center.shape[0]
    if spec.dim() not in (2, 3) or (spec.dim() == 3 and shape[0] != batch):
        raise RequestError(f"bound: spec has shape {shape}, expected [rows, outputs] or [{batch}, rows, outputs]")
    if spec.dtype is not center.dtype or spec.device != center.device:
        raise RequestError(
            f"bound: the spec is {spec.dtype} on {spec.device}, the region {center.dtype} on {center.device}; "
            "move one to the other with .to()"
        )
    if spec.is_neg():
        raise RequestError("bound: the spec is a negative view; give it values by .resolve_neg()")


def check_result(
    found: Any, module: nn.Module, region: Region, spec: Tensor | None, backend: BoundBackend
) -> tuple[Tensor, Tensor]:
    """The bounds, once they are seen to be finite, in order and of the shape that was asked for.

    Raises:
        RequestError: they are not finite, because a weight is not; names it.
        RefusedError: they are not finite or cross for another reason: the bound is unknown.
        PluginError: the backend gives something else than two tensors [batch, rows].
    """
    lower, upper = _pair(found, region, spec, backend)
    if lower.numel():
        # NaN comes through both ends, an infinite bound through the greatest: one pass instead of three.
        width = upper - lower
        least, most = (width.detach() if width.requires_grad else width).aminmax()
        if not (least.item() >= 0 and most.item() < math.inf):
            _refuse(lower, upper, module, spec, backend)
    return lower, upper


def _pair(found: Any, region: Region, spec: Tensor | None, backend: BoundBackend) -> tuple[Tensor, Tensor]:
    if not isinstance(found, tuple) or len(found) != 2 or not all(isinstance(part, torch.Tensor) for part in found):
        raise PluginError(f"bound-backend {backend.name}: it gave {_described(found)}, expected two tensors")
    lower, upper = found
    batch = region.center.shape[0]
    rows = lower.shape[-1] if spec is None and lower.dim() else -1 if spec is None else spec.shape[-2]
    wanted = (batch, rows)
    if lower.shape != wanted or upper.shape != wanted:
        given = f"{list(lower.shape)} and {list(upper.shape)}"
        asked = f"[{batch}, {'outputs' if spec is None else rows}]"
        raise PluginError(f"bound-backend {backend.name}: it gave bounds of shapes {given}, expected {asked}")
    return lower, upper


def _refuse(lower: Tensor, upper: Tensor, module: nn.Module, spec: Tensor | None, backend: BoundBackend) -> None:
    """Say which weight spoils the bound, or that it is unknown; bounds so wide that only the width overflows pass."""
    crossing = bool((lower > upper).any())
    if not crossing and bool(torch.isfinite(lower).all()) and bool(torch.isfinite(upper).all()):
        return
    named = [*module.named_parameters(), *module.named_buffers()]
    for name, weight in [*named, *([] if spec is None else [("the spec", spec)])]:
        if weight.is_floating_point() and not bool(torch.isfinite(weight).all()):
            what = "NaN" if bool(torch.isnan(weight).any()) else "infinity"
            raise RequestError(f"bound: {name} holds {what}, so nothing can be said of the outputs")
    what = "the lower bound lies above the upper one" if crossing else "the bound is not finite"
    raise RefusedError(f"unknown: {what} under {backend.name}; try another method or a smaller region")


def explain(module: nn.Module, region: Region, spec: Tensor | None) -> None:
    """Raise if what made a backend fail is that module, region and specification do not fit together."""
    shape = list(region.center.shape)
    try:
        with torch.no_grad():
            outputs = module(region.center)
    except Exception as error:
        cause = " ".join(str(error).split())
        raise RequestError(f"bound: the module does not take inputs of shape {shape}: {cause}") from None
    if not isinstance(outputs, torch.Tensor) or outputs.dim() != 2 or outputs.shape[0] != shape[0]:
        given = list(outputs.shape) if isinstance(outputs, torch.Tensor) else type(outputs).__name__
        raise RequestError(f"bound: the module gives {given} for inputs {shape}, expected [batch, outputs]")
    if spec is not None and spec.shape[-1] != outputs.shape[-1]:
        raise RequestError(f"bound: spec has {spec.shape[-1]} columns for {outputs.shape[-1]} outputs of the module")
    parts = {"the region": region.center, "the spec": spec, "the output": outputs, **dict(module.named_parameters())}
    for name, part in parts.items():
        if part is not None and not part.numel():
            raise RequestError(f"bound: {name} has shape {list(part.shape)}, there is nothing to bound")
