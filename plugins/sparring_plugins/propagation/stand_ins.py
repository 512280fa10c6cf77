"""What a module's forward pass is given in place of tensors."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from torch import fx
from torch.overrides import is_tensor_method_or_property

__all__ = ["StandIn", "Value"]


class Value(fx.Proxy):
    """A stand-in that tells `x += y` from `x = x + y`: other names of `x` see the change."""

    def _changed(self, operation: Any, other: Any) -> Any:
        return self.tracer.create_proxy("call_function", operation, (self, other), {})

    def __iadd__(self, other: Any) -> Any:
        return self._changed(operator.iadd, other)

    def __isub__(self, other: Any) -> Any:
        return self._changed(operator.isub, other)

    def __imul__(self, other: Any) -> Any:
        return self._changed(operator.imul, other)

    def __itruediv__(self, other: Any) -> Any:
        return self._changed(operator.itruediv, other)

    def __ipow__(self, other: Any) -> Any:
        return self._changed(operator.ipow, other)


class _Given(fx.Proxy):
    """A stand-in whose `node` is what it stands for; functions of torch tell its tracer that they were called."""

    @classmethod
    def __torch_function__(
        cls, orig_method: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """The stand-in for what a function or a method of a tensor gives."""
        tracer = next((value.tracer for value in args if isinstance(value, fx.Proxy)), None) or _tracer((args, kwargs))
        if is_tensor_method_or_property(orig_method):
            return tracer.create_proxy("call_method", orig_method.__name__, args, kwargs or {})
        return tracer.create_proxy("call_function", orig_method, args, kwargs or {})


class StandIn(_Given, Value):
    """For a value."""

    node: Any

    def __init__(self, value: Any, tracer: fx.proxy.TracerBase) -> None:
        self.node, self.tracer = value, tracer

    def __getattr__(self, k: str) -> _Attribute:
        return _Attribute(self, k)


class _Attribute(_Given, fx.proxy.Attribute):
    """For an attribute of a value, or a method that is about to be called."""


def _tracer(values: Any) -> Any:
    """That of the first stand-in among nested arguments."""
    if isinstance(values, fx.Proxy):
        return values.tracer
    inner = values.values() if isinstance(values, dict) else values if isinstance(values, list | tuple) else ()
    return next((found for found in map(_tracer, inner) if found is not None), None)
