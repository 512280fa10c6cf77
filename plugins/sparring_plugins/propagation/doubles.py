"""Doubles of modules, in which tracing leaves behind what forward passes keep."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from torch import Tensor, nn

__all__ = ["doubled", "state_of", "traced"]


def state_of(module: nn.Module, double_of: Callable[[nn.Module], nn.Module]) -> dict[str, Any]:
    """What a double has as attributes: the same tensors in tables of its own, and doubles of its parts.

    Tensors that are plain attributes become buffers of the double: those are referred to, attributes are not.
    """
    state: dict[str, Any] = dict(module.__dict__)
    tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    for name in tensors:
        del state[name]
    state["_parameters"], state["_buffers"] = dict(module._parameters), {**module._buffers, **tensors}
    parts = module._modules.items()
    state["_modules"] = {name: None if part is None else double_of(part) for name, part in parts}
    return state


def doubled(module: nn.Module) -> nn.Module:
    """A module of the same classes."""
    known: dict[nn.Module, nn.Module] = {}

    def double_of(module: nn.Module) -> nn.Module:
        if module not in known:
            double = known[module] = object.__new__(type(module))
            double.__dict__.update(state_of(module, double_of))
        return known[module]

    return double_of(module)


class _Traced:
    """Mixed into the class of a double, in front: calls and attributes go by a tracer, which each double knows.

    Layers of torch have no attributes until they are asked for one.
    """

    # What comes after it is an `nn.Module`, which has both; `object`, of which types alone know here, has neither.
    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:
        return self.__dict__["_tracer"].call_module(self, super().__call__, args, kwargs)  # type: ignore[misc]

    def __getattr__(self: Any, name: str) -> Any:
        state = self.__dict__
        if "_modules" not in state:
            state["_tracer"].fill(self)
            if name in state:
                return state[name]
        value = super().__getattr__(name)  # type: ignore[misc]
        return state["_tracer"].attribute(self, name, value) if isinstance(value, Tensor) else value


def traced(module: nn.Module, tracer: Any) -> nn.Module:
    """A double without attributes yet, which asks `tracer.fill` for them."""
    kind: Any = type(module)
    double: nn.Module = object.__new__(_traced_kind(kind))
    double.__dict__["_tracer"] = tracer
    return double


@lru_cache(maxsize=256)
def _traced_kind(kind: Any) -> type[nn.Module]:
    """A class like this one, of modules that are `_Traced`.

    Raises:
        TypeError: it has ways of its own to be called, to give attributes or to be derived from.
    """
    names = ("__call__", "__getattr__", "__init_subclass__", "__getattribute__")
    own = [name for name in names if not _same(getattr(kind, name), getattr(nn.Module, name))]
    if own or type(kind) is not type:
        raise TypeError(f"{kind.__name__} is called in a way of its own")
    return type(kind.__name__, (_Traced, kind), {"__module__": kind.__module__})


def _same(one: Any, other: Any) -> bool:
    """Whether two attributes of classes are one function."""
    return getattr(one, "__func__", one) is getattr(other, "__func__", other) or (
        inspect.isbuiltin(one) and inspect.isbuiltin(other)
    )
