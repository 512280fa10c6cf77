"""Nodes are written down for the operations of a module; what has no rule is refused by name."""

from __future__ import annotations

import builtins
import inspect
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, fx, nn

from sparring.errors import RefusedError
from sparring_plugins.propagation.chains import chain_of
from sparring_plugins.propagation.nodes import Input, Node
from sparring_plugins.propagation.references import BATCH, BatchSize, Live, NoRule, Ref

__all__ = ["FACTORIES", "Rule", "Rules", "Tracing"]


Rule = Callable[..., Any]
"""`rule(tracing, path, *args, **kwargs)` takes what the operation takes; for a module it comes first."""

FACTORIES: tuple[Callable[..., Any], ...] = (torch.zeros, torch.ones, torch.full)
"""Functions that may take the batch size: their values are the same for all samples, one sample stands for them."""
SEQUENCES = (list, tuple)
PARTS = frozenset({operator.getitem, builtins.getattr})


@dataclass(frozen=True)
class Rules:
    """What to make of each function, tensor method and module type."""

    functions: Mapping[Any, Rule]
    methods: Mapping[str, Rule]
    modules: Mapping[type[nn.Module], Rule]


class Tracing:
    """Writes down a node for each operation on the input, as these come."""

    def __init__(self, rules: Rules) -> None:
        self._rules, self._here, self.doing = rules, "", ""
        self.nodes: list[Node] = []
        self.whole = True
        """Whether nothing was computed beside the operations that came, which no graph would compute anew."""
        # What each node stands for, and the places of its inputs among all nodes.
        self._done: list[tuple[str, tuple[int, ...]]] = []
        self._overwritten: set[object] = set()

    def given(self, example: Any) -> Ref:
        """The network's input, and the first node."""
        self.nodes.append(Input("input", (), tuple(example.shape[1:])))
        self._done.append(("", ()))
        return Ref(0, self.nodes[0].shape, example)

    def operation(self, kind: str, where: str, target: Any, args: Any, kwargs: Any) -> Any:
        """What an operation gives, a reference to its node where that depends on the input.

        Args:
            kind: `call_module`, `call_function` or `call_method`.
            where: the path of a module, or the place of a function or a method in one.
            target: a module, a function, or the name of a method.
            args: what it takes.
            kwargs: likewise, by name.
        """
        self._here = where
        if kind == "call_module":
            return self._module(target, args, kwargs)
        if kind == "call_method":
            return self._method(target, args, kwargs)
        return self._called(self._rules.functions.get(target), target, args, kwargs)

    def along(self, path: str, layers: Mapping[str, nn.Module], value: Any) -> Any:
        """A chain of layers, each of what the one before gives."""
        for name, layer in layers.items():
            self._here = path + name
            value = self._layer(layer, (value,), {})
        return value

    def returned(self, value: Any) -> Any:
        """What the module returns."""
        self._here = "output"
        self._look(value)
        return value

    def add(self, node: Node, *refs: Ref, view: bool = False) -> Ref:
        """Append a node of these inputs. A view shares the first one's memory."""
        self.nodes.append(node)
        self._done.append((self.doing, node.inputs))
        place, like = len(self.nodes) - 1, refs[0].like
        return Ref(place, node.shape, like, refs[0].memory) if view else Ref(place, node.shape, like)

    def apply(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Append the nodes of a function of torch, for rules that are made of others."""
        return self._called(self._rules.functions.get(target), target, args, kwargs)

    def overwrite(self, x: Any, result: Ref) -> Ref:
        """The result of an operation in place: nobody may use what it overwrote any more."""
        if not isinstance(x, Ref):
            raise self.refuse(f"{self.doing} in place on a value that does not depend on the input")
        self._overwritten.add(x.memory)
        return Ref(result.place, result.shape, result.like)

    def refuse(self, what: str) -> RefusedError:
        """The error that names an operation and where it stands."""
        return RefusedError(f"bounds: no rule for {what} at {self._here!r}")

    def failing(self, example: Tensor, error: Exception) -> RefusedError:
        """The same for the first node that cannot be computed for these inputs, or the error itself for none."""
        found = [example]
        for node, (doing, sources) in zip(self.nodes[1:], self._done[1:], strict=True):
            self._here, self.doing = node.name, doing
            try:
                found.append(node.value(*(found[place] for place in sources)))
            except Exception as failure:
                error = failure
                break
        return self.refuse(f"{self.doing} as it is used ({' '.join(str(error).split())})")

    def _module(self, module: nn.Module, args: Any, kwargs: Any) -> Any:
        """A module of torch, by the rule for the type whose forward pass it has."""
        layers = chain_of(module) if len(args) == 1 and not kwargs else None
        if layers is not None:
            return self.along(f"{self._here}.", layers, args[0])
        return self._layer(module, args, kwargs)

    def _layer(self, module: nn.Module, args: Any, kwargs: Any) -> Any:
        self.doing = type(module).__name__
        first = args[0] if args else None
        if not isinstance(first, Ref) and not any(isinstance(value, Ref) for value in _flat((args, kwargs))):
            return Live(lambda: module(*_now(args), **_now(kwargs)))
        own: Any = type(module)
        for kind in own.__mro__:
            if kind in self._rules.modules and own.forward is kind.forward:
                return self._ruled(self._rules.modules[kind], (module, *args), kwargs)
        raise self.refuse(self.doing)

    def _method(self, name: str, args: Any, kwargs: Any) -> Any:
        """A method of a tensor by its rule; one whose name ends in `_` is the method without it, in place."""
        stem = name.removesuffix("_")
        if name == stem or name.endswith("__"):
            return self._called(self._rules.methods.get(name), _Method(name), args, kwargs)
        return self.overwrite(args[0], self._called(self._rules.methods.get(stem), _Method(name), args, kwargs))

    def _called(self, rule: Rule | None, target: Any, args: Any, kwargs: Any) -> Any:
        self.doing = getattr(target, "__name__", None) or str(target)
        values = _flat((args, kwargs))
        kinds = set(map(type, values))
        if NoRule in kinds and not (target in PARTS and isinstance(args[0], tuple)):
            raise self.refuse(next(value.what for value in values if isinstance(value, NoRule)))
        if Ref in kinds:
            if rule is None:
                raise self.refuse(self.doing)
            return self._ruled(rule, args, kwargs)
        if BatchSize in kinds and not _of_tuples(target, args):
            if target not in FACTORIES:
                raise self.refuse(f"{self.doing} of the batch size")
            args, kwargs = fx.node.map_aggregate((args, kwargs), _one_sample)
        if Live in kinds:
            if _in_place(self.doing):
                raise self.refuse(f"{self.doing} in place on a value that does not depend on the input")
            return Live(lambda: target(*_now(args), **_now(kwargs)))
        return target(*args, **kwargs)

    def _ruled(self, rule: Rule, args: Any, kwargs: Any) -> Any:
        self._look((args, kwargs))
        doing = self.doing
        try:
            result = rule(self, self._here, *args, **kwargs)
        except TypeError:
            try:
                _signature(rule).bind(self, self._here, *args, **kwargs)
            except TypeError as error:
                raise self.refuse(f"{doing} with these arguments ({error})") from None
            raise
        self.doing = doing
        return result

    def _look(self, values: Any) -> None:
        """Refuse values that an operation in place has changed since."""
        if not self._overwritten:
            return
        if any(isinstance(value, Ref) and value.memory in self._overwritten for value in _flat(values)):
            raise self.refuse("a value that is used after an operation in place changed it,")


@cache
def _signature(rule: Rule) -> inspect.Signature:
    """What a rule takes, looked up once."""
    return inspect.signature(rule)


@dataclass(frozen=True)
class _Method:
    name: str

    def __call__(self, owner: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(owner, self.name)(*args, **kwargs)

    @property
    def __name__(self) -> str:
        return f"method {self.name}"


def _one_sample(value: Any) -> Any:
    """A size of 1 in place of the batch's."""
    return 1 if value is BATCH else value


def _of_tuples(target: Any, args: Any) -> bool:
    """Whether sizes are only picked out or put together."""
    return target is operator.getitem or (target is operator.add and all(isinstance(one, tuple) for one in args))


IN_PLACE = frozenset({"iadd", "isub", "imul", "itruediv", "ipow", "ifloordiv", "imod", "imatmul", "setitem"})


def _in_place(name: str) -> bool:
    """Whether an operation of this name changes its first argument."""
    return name in IN_PLACE or (name.endswith("_") and not name.endswith("__"))


def _flat(values: Any) -> list[Any]:
    """Every leaf of nested arguments."""
    if isinstance(values, SEQUENCES):
        return [leaf for value in values for leaf in _flat(value)]
    if isinstance(values, dict):
        return [leaf for value in values.values() for leaf in _flat(value)]
    if isinstance(values, slice):
        return [values.start, values.stop, values.step]
    return [values]


def _now(values: Any) -> Any:
    """Nested arguments with today's values of parameters."""
    return fx.node.map_aggregate(values, lambda value: value.fetch() if isinstance(value, Live) else value)
