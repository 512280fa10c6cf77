"""What a forward pass computes with tensors themselves, while all it should meet are stand-ins for them.

Parameters come into its hands through `parameters()`, other tensors through containers, globals and closures. What is
computed with those is known to no trace: it would stay in a graph as it is now, and have no gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, fx
from torch.overrides import TorchFunctionMode

__all__ = ["Aside"]

READING = frozenset({
    "item", "tolist", "numpy", "equal", "allclose", "is_nonzero", "__bool__", "__float__", "__int__", "__index__",
    "__array__", "__contains__", "__len__",
})  # fmt: skip
"""Functions that give no tensor, and yet look at values."""

Instead = Callable[[Any, Any, Any], Any]


class Aside(TorchFunctionMode):
    """While this is entered, functions of torch are watched that are called with tensors alone."""

    def __init__(self, instead: Instead) -> None:
        """`instead(function, args, kwargs)` gives what stands for a result that may have gradients."""
        super().__init__()
        self._instead = instead
        self.busy = False
        """Whether a rule is at work, which may compute what it likes."""
        self.found = False
        """Whether a value was computed that no trace knows of."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call it, and note where that gives a value."""
        given = kwargs or {}
        result = func(*args, **given)
        tensors = [] if self.busy else _tensors((args, given))
        new = tensors and _tensors(result)
        if new and any(tensor.requires_grad for tensor in tensors):
            return self._instead(func, args, given)
        if new or (tensors and getattr(func, "__name__", None) in READING):
            self.found = True
        return result


def _tensors(values: Any) -> list[Tensor]:
    """Those among nested values; stand-ins are none."""
    if isinstance(values, fx.Proxy):
        return []
    if isinstance(values, Tensor):
        return [values]
    inner = values.values() if isinstance(values, dict) else values if isinstance(values, list | tuple) else ()
    return [tensor for value in inner for tensor in _tensors(value)]
