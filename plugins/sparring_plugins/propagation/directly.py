"""A module's forward pass on stand-ins, each operation of which is written down as it comes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from types import EllipsisType
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.graph import _Namespace
from torch.overrides import is_tensor_method_or_property

from sparring_plugins.propagation.aside import Aside
from sparring_plugins.propagation.chains import chain_of, is_layer
from sparring_plugins.propagation.doubles import state_of, traced
from sparring_plugins.propagation.firm import Firm
from sparring_plugins.propagation.references import attribute_of
from sparring_plugins.propagation.stand_ins import StandIn
from sparring_plugins.propagation.trace import Tracing

__all__ = ["Directly"]

PLAIN = (int, float, complex, str, torch.dtype, torch.device, torch.memory_format, torch.layout, EllipsisType)
"""What operations take beside tensors."""
RARE = (torch._C.ScriptMethod, torch._ops.HigherOrderOperator)
"""Operations that are left to torch.fx."""


class Directly(Firm, fx.proxy.TracerBase):
    """Runs a double of a module on stand-ins: what `symbolically` gives, without a graph of torch.fx.

    Modules that give stand-ins to functions which take none make it raise; so does whatever torch.fx refuses.
    """

    def __init__(self, tracing: Tracing, module: nn.Module, paths: dict[nn.Module, str]) -> None:
        self._tracing, self._module, self._paths = tracing, module, paths
        self._doubles: dict[nn.Module, nn.Module] = {}
        self._origins: dict[nn.Module, nn.Module] = {}
        self._attributes: dict[str, StandIn] = {}
        # Operations outside of the parts have names, as torch.fx gives them.
        self._inside, self._names = "", _Namespace()
        self._aside = Aside(self._called)

    def run(self, example: Tensor) -> Any:
        """What the module gives, as `Tracing` knows it."""
        double, forward = self._double(self._module), type(self._module).forward
        given = [self._given(*one) for one in _arguments(forward)]
        given[0].node = self._tracing.given(example)
        with self._aside:
            result = forward(double, *given)
        result = self._plain(result)
        if self.failed is not None:
            raise self.failed
        self._tracing.whole &= not self._aside.found
        return self._tracing.returned(result)

    def _given(self, name: str, default: Any) -> StandIn:
        self._name(name)
        return StandIn(self._plain(default), self)

    def create_proxy(self, kind: str, target: Any, args: Any, kwargs: Any, *options: Any, **named: Any) -> StandIn:
        """The stand-in for what an operation gives; `kind` and `target` are those of torch.fx.

        The first that is refused is told at the end: torch.fx may refuse the module for something else.
        """
        value, outer, self._aside.busy = None, self._aside.busy, True
        if self.failed is None:
            try:
                value = self._operation(kind, target, args, kwargs)
            except Exception as error:
                self.failed = error
        self._aside.busy = outer
        return StandIn(value, self)

    def _called(self, function: Any, args: Any, kwargs: Any) -> StandIn:
        """The stand-in for what a function gives of the module's own tensors."""
        if getattr(function, "__name__", None) == "__get__":
            return self.create_proxy("call_function", getattr, (args[0], function.__self__.__name__), {})
        if is_tensor_method_or_property(function):
            return self.create_proxy("call_method", function.__name__, args, kwargs)
        return self.create_proxy("call_function", function, args, kwargs)

    def _operation(self, kind: str, target: Any, args: Any, kwargs: Any) -> Any:
        if isinstance(target, RARE):
            raise TypeError(f"{target} takes no stand-ins")
        args, kwargs = self._plain(args), self._plain(kwargs)
        path = self._paths[target] if kind == "call_module" else self._inside
        name = self._name(path if kind == "call_module" else target)
        return self._tracing.operation(kind, path or name, target, args, kwargs)

    def call_module(self, double: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """The same for a layer, or for a chain of layers; other parts are run."""
        module = self._origins[double]
        path = self._paths[module]
        if is_layer(module) or chain_of(module) is not None:
            return self.create_proxy("call_module", module, args, kwargs)
        outer, self._inside = self._inside, path
        try:
            return forward(*args, **kwargs)
        finally:
            self._inside = outer

    def attribute(self, double: nn.Module, name: str, value: Any) -> Any:
        """What a part gives for a tensor among its attributes: a stand-in, where the module itself has it as well."""
        module = self._origins[double]
        if not hasattr(module, name):
            return value
        path = f"{self._paths[module]}.{name}"
        if path not in self._attributes:
            self._name(path.lstrip("."))
            self._attributes[path] = StandIn(attribute_of(module, name), self)
        return self._attributes[path]

    def _double(self, module: nn.Module) -> nn.Module:
        if module not in self._doubles:
            double = self._doubles[module] = traced(module, self)
            self._origins[double] = module
            # Attributes of classes, which those of modules hide, are for modules of torch no matter.
            if not type(module).__module__.startswith("torch.nn."):
                self.fill(double)
        return self._doubles[module]

    def fill(self, double: nn.Module) -> None:
        """Give a double what it has as attributes."""
        double.__dict__.update({**state_of(self._origins[double], self._double), **double.__dict__})

    def _name(self, target: Any) -> str:
        return self._names.create_name(_candidate(target), None)

    def _plain(self, value: Any) -> Any:
        """What nested arguments stand for."""
        kind = type(value)
        if isinstance(value, fx.Proxy):
            return self._of_proxy(value)
        if value is None or isinstance(value, PLAIN):
            return value
        if kind is tuple or kind is list or kind is torch.Size:
            return (list if kind is list else tuple)([self._plain(part) for part in value])
        if kind is dict and all(isinstance(key, str) for key in value):
            return {key: self._plain(part) for key, part in value.items()}
        if kind is slice:
            return slice(*map(self._plain, (value.start, value.stop, value.step)))
        if isinstance(value, Tensor):
            return self._of_tensor(value)
        raise TypeError(f"{kind.__name__} as an argument")

    def _of_proxy(self, value: Any) -> Any:
        if value.tracer is not self:
            raise TypeError("a stand-in of another module")
        return value.node

    def _of_tensor(self, value: Tensor) -> Any:
        """A tensor that no part was asked for: by reference where it is one of the module's."""
        for module, path in self._paths.items():
            for table in (module._parameters, module._buffers, module.__dict__):
                for name, held in table.items():
                    if held is value:
                        self._name(f"{path}.{name}".lstrip("."))
                        return attribute_of(module, name)
        if isinstance(value, nn.Parameter):
            raise TypeError("a parameter that is not the module's")
        return value


@lru_cache(maxsize=1024)
def _candidate(target: Any) -> str:
    """What torch.fx bases the name of an operation on."""
    return fx.Graph()._target_to_str(target)


@lru_cache(maxsize=256)
def _arguments(forward: Any) -> tuple[tuple[str, Any], ...]:
    """Names and defaults of what a forward pass takes.

    Raises:
        TypeError: not just the input, and what nobody has to give.
    """
    first, *others = list(inspect.signature(forward).parameters.values())[1:]
    fixed = all(one.kind is one.POSITIONAL_OR_KEYWORD for one in (first, *others))
    if not fixed or any(one.default is one.empty for one in others):
        raise TypeError("not just the input, and what nobody has to give")
    return (first.name, None), *((one.name, one.default) for one in others)
