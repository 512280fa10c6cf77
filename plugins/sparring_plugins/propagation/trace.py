"""From a torch module to a graph of nodes, by symbolic tracing; what has no rule is refused by name."""

from __future__ import annotations

import builtins
import inspect
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, fx, nn

from sparring.errors import RefusedError, RequestError
from sparring_plugins.propagation.agreement import compare
from sparring_plugins.propagation.graph import Graph
from sparring_plugins.propagation.nodes import Input, Node
from sparring_plugins.propagation.references import BATCH, Live, NoRule, Ref
from sparring_plugins.propagation.tracer import FACTORIES, chain_of, symbolic

__all__ = ["Rule", "Rules", "Tracing", "trace"]


Rule = Callable[..., Any]
"""`rule(tracing, path, *args, **kwargs)` takes what the operation takes; for a module it comes first."""

PARTS = frozenset({operator.getitem, builtins.getattr})


@dataclass(frozen=True)
class Rules:
    """What to make of each function, tensor method and module type."""

    functions: Mapping[Any, Rule]
    methods: Mapping[str, Rule]
    modules: Mapping[type[nn.Module], Rule]


class Tracing:
    """Runs a traced module once on an example and writes down a node for each operation on the input."""

    def __init__(self, module: nn.Module, rules: Rules) -> None:
        self._origin, self._rules, self.nodes = module, rules, list[Node]()
        self._symbolic = symbolic(module)
        # What each node stands for, and the places of its inputs among all nodes.
        self._here, self.doing, self._done = "", "", list[tuple[str, tuple[int, ...]]]()
        self._overwritten: set[object] = set()

    def run(self, example: Tensor) -> Any:
        """What the module gives: a reference to its node, where all is well."""
        graph = self._symbolic.graph
        if graph is None:
            return self._returned(self._along("", self._origin, self._given(example)))
        found: dict[fx.Node, Any] = {}
        for node in graph.nodes:
            self._here = _place(node)
            args, kwargs = fx.node.map_arg((node.args, node.kwargs), found.__getitem__)
            if node.op == "output":
                return self._returned(args[0])
            if node.op == "placeholder":
                found[node] = self._placeholder(str(node.target), args, example)
            else:
                found[node] = getattr(self, f"_{node.op}")(node.target, args, kwargs)
        raise AssertionError("a graph has an output")

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

    def _given(self, example: Any) -> Ref:
        """The network's input."""
        self.nodes.append(Input("input", (), tuple(example.shape[1:])))
        self._done.append(("", ()))
        return Ref(0, self.nodes[0].shape, example)

    def _placeholder(self, target: str, args: Any, example: Tensor) -> Any:
        """The network's only input; others have what they are if nobody gives them."""
        if self.nodes and not args:
            raise RefusedError(f"bounds: the module takes a second input {target!r}, concatenate them into one")
        if self.nodes:
            return args[0]
        return self._given([example] if target.startswith("*") else example)

    def _get_attr(self, target: Any, args: Any, kwargs: Any) -> Any:
        """A parameter or buffer, by reference to where it lies."""
        owner, _, name = str(target).rpartition(".")
        holder = self._origin.get_submodule(owner)
        if hasattr(holder, name):
            return Live(lambda: getattr(holder, name))
        return getattr(self._symbolic.holder.get_submodule(owner), name)

    def _call_module(self, target: Any, args: Any, kwargs: Any) -> Any:
        """A module of torch, by the rule for the type whose forward pass it has."""
        module = self._origin.get_submodule(str(target))
        if type(module) is nn.Sequential and len(args) == 1 and not kwargs:
            return self._along(f"{target}.", module, args[0])
        return self._layer(module, args, kwargs)

    def _along(self, path: str, chain: nn.Module, value: Any) -> Any:
        """A chain of layers, each of what the one before gives."""
        for name in chain_of(chain) or []:
            self._here = path + name
            value = self._layer(chain.get_submodule(name), (value,), {})
        return value

    def _layer(self, module: nn.Module, args: Any, kwargs: Any) -> Any:
        self.doing = type(module).__name__
        if not any(isinstance(value, Ref) for value in _flat((args, kwargs))):
            return Live(lambda: module(*_now(args), **_now(kwargs)))
        own: Any = type(module)
        for kind in own.__mro__:
            if kind in self._rules.modules and own.forward is kind.forward:
                return self._ruled(self._rules.modules[kind], (module, *args), kwargs)
        raise self.refuse(self.doing)

    def _call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        """A function, by its rule; without a share of the input it is a constant."""
        return self._called(self._rules.functions.get(target), target, args, kwargs)

    def _call_method(self, target: Any, args: Any, kwargs: Any) -> Any:
        """A method of a tensor, likewise; one whose name ends in `_` is the method without it, in place."""
        name = str(target)
        stem = name.removesuffix("_")
        if name == stem or name.endswith("__"):
            return self._called(self._rules.methods.get(name), _Method(name), args, kwargs)
        return self.overwrite(args[0], self._called(self._rules.methods.get(stem), _Method(name), args, kwargs))

    def _returned(self, value: Any) -> Any:
        """What the module returns."""
        self._look(value)
        return value

    def _called(self, rule: Rule | None, target: Any, args: Any, kwargs: Any) -> Any:
        self.doing = getattr(target, "__name__", str(target))
        values = list(_flat((args, kwargs)))
        unknown = next((value for value in values if isinstance(value, NoRule)), None)
        if unknown is not None and not (target in PARTS and isinstance(args[0], tuple)):
            raise self.refuse(unknown.what)
        if any(isinstance(value, Ref) for value in values):
            if rule is None:
                raise self.refuse(self.doing)
            return self._ruled(rule, args, kwargs)
        if any(value is BATCH for value in values) and not _of_tuples(target, args):
            if target not in FACTORIES:
                raise self.refuse(f"{self.doing} of the batch size")
            args, kwargs = fx.node.map_aggregate((args, kwargs), _one_sample)
        if any(isinstance(value, Live) for value in values):
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
        refs = (value for value in _flat(values) if isinstance(value, Ref))
        if self._overwritten and any(ref.memory in self._overwritten for ref in refs):
            raise self.refuse("a value that is used after an operation in place changed it,")


def _place(node: fx.Node) -> str:
    """Where an operation stands, for messages: the path of the innermost module that is being run."""
    if node.op == "call_module":
        return str(node.target)
    stack = node.meta.get("nn_module_stack") or {}
    inner = [str(path) for path, _ in stack.values()]
    return inner[-1] if inner and inner[-1] else node.name


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


def _flat(values: Any) -> Iterator[Any]:
    """Every leaf of nested arguments."""
    if isinstance(values, list | tuple):
        for value in values:
            yield from _flat(value)
    elif isinstance(values, dict):
        yield from _flat(list(values.values()))
    elif isinstance(values, slice):
        yield from (values.start, values.stop, values.step)
    else:
        yield values


def _now(values: Any) -> Any:
    """Nested arguments with today's values of parameters."""
    return fx.node.map_aggregate(values, lambda value: value.fetch() if isinstance(value, Live) else value)


def trace(module: nn.Module, example: Tensor, rules: Rules) -> Graph:
    """The graph of a module, checked to give what the module gives.

    Args:
        module: in evaluation mode.
        example: inputs [batch, *features]; only their shape, type and device matter to the graph.
        rules: what to make of each operation.

    Raises:
        RefusedError: the module cannot be traced, or an operation has no rule; names it with its path.
    """
    if type(module).__module__.startswith("torch.nn.") and not isinstance(module, nn.Sequential):
        module = nn.Sequential(module)  # a layer by itself is a layer still, by whose rule it goes
    # A graph made in inference mode is used for training as well: no constant of it may be a tensor of that mode.
    with torch.inference_mode(False), torch.no_grad():
        tracing = Tracing(module, rules)
        try:
            return _traced(tracing, module, example)
        except RequestError:
            raise
        except Exception as error:
            module(example.clone())  # raises as well where the input does not fit, which is for others to explain
            raise tracing.failing(example, error) from error


def _traced(tracing: Tracing, module: nn.Module, example: Tensor) -> Graph:
    result = tracing.run(example)
    if not isinstance(result, Ref):
        raise RefusedError(f"bounds: {type(module).__name__} must give one tensor that depends on its input")
    graph = Graph(_needed(tracing.nodes, result.place))
    compare(graph, module, example)
    return graph


def _needed(nodes: list[Node], output: int) -> list[Node]:
    """The nodes that the output depends on, and the input, with their new places."""
    wanted = {0, output}
    for place in range(output, 0, -1):
        if place in wanted:
            wanted.update(nodes[place].inputs)
    kept = sorted(wanted)
    places = {old: new for new, old in enumerate(kept)}
    for old in kept:
        nodes[old].inputs = tuple(places[source] for source in nodes[old].inputs)
    return [nodes[old] for old in kept]
