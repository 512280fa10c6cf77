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
from sparring_plugins.propagation.tracer import FACTORIES, symbolic

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


class Tracing(fx.Interpreter):
    """Runs a traced module once on an example and writes down a node for each operation on the input."""

    def __init__(self, module: nn.Module, rules: Rules) -> None:
        double, operations = symbolic(module)
        super().__init__(double, graph=operations)
        self._origin, self._rules, self.nodes = module, rules, list[Node]()
        self._here, self.doing = "", ""
        self._overwritten: set[object] = set()
        self.extra_traceback = False  # our errors are one line, and name the place themselves

    def add(self, node: Node, *refs: Ref, view: bool = False) -> Ref:
        """Append a node; its example is computed from those of its inputs. A view shares the first one's memory."""
        self.nodes.append(node)
        example = node.value(*(ref.example for ref in refs))
        return Ref(len(self.nodes) - 1, example, refs[0].memory) if view else Ref(len(self.nodes) - 1, example)

    def apply(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Append the nodes of a function of torch, for rules that are made of others."""
        return self._called(self._rules.functions.get(target), target, args, kwargs)

    def overwrite(self, x: Any, result: Ref) -> Ref:
        """The result of an operation in place: nobody may use what it overwrote any more."""
        if not isinstance(x, Ref):
            raise self.refuse(f"{self.doing} in place on a value that does not depend on the input")
        self._overwritten.add(x.memory)
        return Ref(result.place, result.example)

    def refuse(self, what: str) -> RefusedError:
        """The error that names an operation and where it stands."""
        return RefusedError(f"bounds: no rule for {what} at {self._here!r}")

    def run_node(self, n: fx.Node) -> Any:
        """Keep the place for messages: the path of the innermost module that is being run."""
        stack = n.meta.get("nn_module_stack") or {}
        inner = [str(path) for path, _ in stack.values()] if stack else []
        self._here = str(n.target) if n.op == "call_module" else (inner[-1] if inner and inner[-1] else n.name)
        return super().run_node(n)

    def placeholder(self, target: Any, args: Any, kwargs: Any) -> Any:
        """The network's only input; others have what they are if nobody gives them."""
        if self.nodes and not args:
            raise RefusedError(f"bounds: the module takes a second input {target!r}, concatenate them into one")
        if self.nodes:
            return args[0]
        example = super().placeholder(target, args, kwargs)
        self.nodes.append(Input("input", (), tuple(example.shape[1:])))
        return Ref(0, example)

    def get_attr(self, target: Any, args: Any, kwargs: Any) -> Any:
        """A parameter or buffer, by reference to where it lies."""
        owner, _, name = str(target).rpartition(".")
        holder = self._origin.get_submodule(owner)
        return Live(lambda: getattr(holder, name)) if hasattr(holder, name) else super().get_attr(target, args, kwargs)

    def call_module(self, target: Any, args: Any, kwargs: Any) -> Any:
        """A module of torch, by the rule for the type whose forward pass it has."""
        module = self._origin.get_submodule(str(target))
        self.doing = type(module).__name__
        if not any(isinstance(value, Ref) for value in _flat((args, kwargs))):
            return Live(lambda: module(*_now(args), **_now(kwargs)))
        own: Any = type(module)
        for kind in own.__mro__:
            if kind in self._rules.modules and own.forward is kind.forward:
                return self._ruled(self._rules.modules[kind], (module, *args), kwargs)
        raise self.refuse(self.doing)

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        """A function, by its rule; without a share of the input it is a constant."""
        return self._called(self._rules.functions.get(target), target, args, kwargs)

    def call_method(self, target: Any, args: Any, kwargs: Any) -> Any:
        """A method of a tensor, likewise; one whose name ends in `_` is the method without it, in place."""
        name = str(target)
        stem = name.removesuffix("_")
        if name == stem or name.endswith("__"):
            return self._called(self._rules.methods.get(name), _Method(name), args, kwargs)
        return self.overwrite(args[0], self._called(self._rules.methods.get(stem), _Method(name), args, kwargs))

    def output(self, target: Any, args: Any, kwargs: Any) -> Any:
        """What the module returns."""
        self._look(args)
        return super().output(target, args, kwargs)

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
            _signature(rule).bind(self, self._here, *args, **kwargs)
        except TypeError as error:
            raise self.refuse(f"{doing} with these arguments ({error})") from None
        result = rule(self, self._here, *args, **kwargs)
        self.doing = doing
        return result

    def _look(self, values: Any) -> None:
        """Refuse values that an operation in place has changed since."""
        refs = (value for value in _flat(values) if isinstance(value, Ref))
        if self._overwritten and any(ref.memory in self._overwritten for ref in refs):
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
        example = example.clone()
        tracing = Tracing(module, rules)
        result = _run(tracing, module, example)
        if not isinstance(result, Ref):
            raise RefusedError(f"bounds: {type(module).__name__} must give one tensor that depends on its input")
        graph = Graph(_needed(tracing.nodes, result.place))
        compare(graph, module, example)
    return graph


def _run(tracing: Tracing, module: nn.Module, example: Tensor) -> Any:
    """What the traced module gives; what goes wrong is told by the operation, where it is not the input's fault."""
    try:
        return tracing.run(example)
    except RequestError:
        raise
    except Exception as error:
        module(example.clone())  # raises as well where the input does not fit, which is for others to explain
        cause = " ".join(str(error).split())
        raise tracing.refuse(f"{tracing.doing} as it is used ({cause})") from error


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
