"""Bounds of a network's outputs by any backend: `sparring.bound`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparring.bounds import BoundBackend, Region
from sparring.errors import RequestError, SparringError
from sparring.registry import Entry, Registry, default_registry

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["bound"]


def bound(
    module: nn.Module,
    region: Region,
    method: str | BoundBackend = "crown",
    spec: Tensor | None = None,
    *,
    registry: Registry | None = None,
) -> tuple[Tensor, Tensor]:
    """Lower and upper bound of what a network gives anywhere in a region.

    Args:
        module: maps [batch, *features] to [batch, outputs]; in evaluation mode where that makes a difference.
        region: where the input of each sample may lie, in the dtype and on the device of the module.
        method: a bound backend by name or spec, such as `crown` or `alpha-crown(steps=20)`, or a backend itself.
        spec: rows that the outputs are multiplied with, such as margins, [batch, rows, outputs] or [rows, outputs];
            None for the outputs themselves.
        registry: where plugins come from; the installed ones if None.

    Returns:
        Two tensors [batch, rows], finite, with `lower <= spec @ module(x) <= upper` for every x of the region.

    Raises:
        RequestError: module, region and spec do not fit together, a weight is NaN, or there is no such method.
        RefusedError: the backend has no rule for an operation, or the bound is unknown, which is never 'safe'.
    """
    from sparring._bounding_checks import check_module, check_result, check_spec, explain

    check_module(module, region)
    if spec is not None:
        check_spec(spec, region)
    backend = _backend(method, registry)
    try:
        found = backend.bound(module, region, spec)
    except SparringError:
        raise
    except Exception:
        explain(module, region, spec)
        raise
    return check_result(found, module, region, spec, backend)


@dataclass(frozen=True)
class _Made:
    """A backend, with the registry and its plugins as they were when it was made."""

    registry: Registry
    entries: list[Entry]
    backend: BoundBackend


_MADE: dict[str, _Made] = {}
"""The last backend made for each spec; finding and configuring one takes longer than a small bound."""
MOST_MADE = 64


def _backend(method: str | BoundBackend, registry: Registry | None) -> BoundBackend:
    if isinstance(method, BoundBackend):
        return method
    if not isinstance(method, str):
        raise RequestError(f"bound: the method is {method!r}, expected the name of a bound backend such as 'crown'")
    known = default_registry() if registry is None else registry
    made = _MADE.get(method)
    # Equal entries are the same objects, so comparing the lists costs little; files and switches change them.
    if made is None or made.registry is not known or made.entries != known.entries:
        backend = known.create("bound-backend", method)
        assert isinstance(backend, BoundBackend)
        if len(_MADE) >= MOST_MADE:
            _MADE.clear()
        made = _MADE[method] = _Made(known, list(known.entries), backend)
    return made.backend
