"""Graphs are traced once for each module and input shape, and again when the module is no longer the same."""

from __future__ import annotations

import operator
import weakref
from collections.abc import Iterable
from itertools import chain
from typing import Any

from torch import Tensor, nn

from sparring_plugins.propagation.building import built, check_hooks
from sparring_plugins.propagation.graph import Graph
from sparring_plugins.propagation.paths import paths_of
from sparring_plugins.propagation.precision import check_precision
from sparring_plugins.propagation.reach import Reach
from sparring_plugins.propagation.rules import RULES

__all__ = ["graph_of"]

EXAMPLES = 3
"""Samples in the example that is traced: a number that seldom is a size of something else."""
TABLES = (dict, list)
"""What attributes may keep parts, parameters and options in."""
UNHEEDED = frozenset(
    f"_{name}" for name in (
        "backward_pre_hooks", "backward_hooks", "forward_hooks_with_kwargs", "forward_hooks_always_called",
        "forward_pre_hooks_with_kwargs", "state_dict_hooks", "state_dict_pre_hooks", "load_state_dict_pre_hooks",
        "load_state_dict_post_hooks",
    )
)  # fmt: skip
"""Tables of every module of torch that its values do not depend on, or not unless another one changes as well."""

_kept: weakref.WeakKeyDictionary[nn.Module, dict[Any, tuple[Graph, _Snapshot]]] = weakref.WeakKeyDictionary()


NO_VERSION = -1
"""Of tensors of which torch does not count how often they were written to."""

_kind = operator.attrgetter("shape", "dtype", "device")


class _Snapshot:
    """What a traced graph has baked in: the attributes, parameters, buffers and parts of every submodule.

    Values of parameters are not among them, a graph fetches those anew; a parameter that was replaced is, and so are
    shapes, types and devices, which `.data` and `.to()` change in place, and what else the module's own code can see.
    """

    def __init__(self, module: nn.Module) -> None:
        parts = paths_of(module)
        self._reach = Reach(parts)
        tables = _tables(parts) + self._reach.tables
        # Most have nothing in them, which is quick to see.
        self._empty = [table for table in tables if not table]
        self._tables = [table for table in tables if table]
        self._sizes = list(map(len, self._tables))
        # What `values` gives shows what is in a dict whenever it is looked at.
        self._values = [table.values() if isinstance(table, dict) else table for table in self._tables]
        self._then = list(chain.from_iterable(self._values))
        self._tensors = [value for value in self._then if isinstance(value, Tensor)]
        self._kinds = list(map(_kind, self._tensors))
        self._written = self._versions()

    @property
    def closed(self) -> bool:
        """Whether this is all that a graph depends on."""
        return self._reach.closed

    def holds(self) -> bool:
        """Whether everything still is the very same object."""
        if any(self._empty) or list(map(len, self._tables)) != self._sizes:
            return False
        same = all(map(operator.is_, chain.from_iterable(self._values), self._then))
        if not same or list(map(_kind, self._tensors)) != self._kinds or any(map(Tensor.is_neg, self._tensors)):
            return False
        return self._reach.holds()

    def is_untouched(self) -> bool:
        """Whether nothing was replaced or written to, where that can be told."""
        return self.closed and self.holds() and NO_VERSION not in self._written and self._versions() == self._written

    def _versions(self) -> list[int]:
        return [NO_VERSION if tensor.is_inference() else tensor._version for tensor in self._tensors]


def _tables(parts: Iterable[nn.Module]) -> list[Any]:
    """The attributes of each part of a module, and every dict or list among them."""
    found: list[Any] = []
    for part in parts:
        found.append(part.__dict__)
        found += [value for name, value in part.__dict__.items() if name not in UNHEEDED and isinstance(value, TABLES)]
    return found


def graph_of(module: nn.Module, center: Tensor) -> Graph:
    """The graph of a module for inputs shaped, typed and placed as `center` [batch, *features]."""
    key = (center.shape[1:], center.dtype, center.device)
    graphs = _kept.setdefault(module, {})
    check_hooks()
    found = graphs.get(key)
    if found is not None and found[1].holds():
        check_precision(found[0], center)
        return found[0]
    example = center[:1].detach().expand(EXAMPLES, *center.shape[1:])
    # The snapshot comes first: what changes while tracing must not go unseen.
    snapshot = _Snapshot(module)
    graph, whole = built(module, example, RULES, snapshot.is_untouched)
    check_precision(graph, center)
    if whole and snapshot.closed:
        graphs[key] = (graph, snapshot)
    else:
        graphs.pop(key, None)
    return graph
