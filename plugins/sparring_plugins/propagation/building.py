"""From a torch module to a graph of nodes, checked to give what the module gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as hooking

from sparring.errors import RefusedError, RequestError
from sparring_plugins.propagation.agreement import compare
from sparring_plugins.propagation.chains import chain_of, is_layer
from sparring_plugins.propagation.directly import Directly
from sparring_plugins.propagation.doubles import doubled
from sparring_plugins.propagation.graph import Graph
from sparring_plugins.propagation.nodes import Node
from sparring_plugins.propagation.paths import paths_of
from sparring_plugins.propagation.references import Ref
from sparring_plugins.propagation.trace import Rules, Tracing
from sparring_plugins.propagation.tracer import symbolically

__all__ = ["built", "check_hooks"]


def check_hooks() -> None:
    """Refuse to bound where hooks of all modules may change what each of them computes."""
    if hooking._global_forward_hooks or hooking._global_forward_pre_hooks:
        raise RefusedError("bounds: there are forward hooks of all modules, which cannot be traced; remove them")


def built(module: nn.Module, example: Tensor, rules: Rules, untouched: Callable[[], bool]) -> tuple[Graph, bool]:
    """The graph of a module, and whether nothing was computed beside it, which would stay as it is now.

    Args:
        module: in evaluation mode.
        example: inputs [batch, *features]; only their shape, type and device matter to the graph.
        rules: what to make of each operation.
        untouched: whether nothing that the module's code can see was changed, see `compare`.

    Raises:
        RefusedError: the module cannot be traced, or an operation has no rule; names it with its path.
    """
    if is_layer(module):
        # By itself it is a layer still, by whose rule it goes; the graph must not keep it.
        module = nn.Sequential(doubled(module))
    paths = paths_of(module)
    _look_for_hidden(paths)
    _look_at_memory(paths)
    # A graph made in inference mode is used for training as well: no constant of it may be a tensor of that mode.
    with torch.inference_mode(False), torch.no_grad():
        tracing = Tracing(rules)
        result = _quickly(tracing, module, example, paths)
        try:
            if result is None:
                tracing = Tracing(rules)
                result = symbolically(tracing, module, example)
            return _compared(tracing, result, module, example, untouched), tracing.whole
        except RequestError:
            raise
        except Exception as error:
            # Raises as well where the input does not fit, which is for others to explain.
            module(example.clone(memory_format=torch.contiguous_format))
            raise tracing.failing(example, error) from error


def _look_for_hidden(paths: Mapping[nn.Module, str]) -> None:
    """Refuse modules whose hooks or replaced methods hide what they compute."""
    for part, path in paths.items():
        if part._forward_hooks or part._forward_pre_hooks:
            raise RefusedError(f"bounds: the module at {path!r} has forward hooks, which cannot be traced; remove them")
        if "forward" in part.__dict__:
            raise RefusedError(f"bounds: the module at {path!r} has a forward of its own, which cannot be traced")


def _look_at_memory(paths: Mapping[nn.Module, str]) -> None:
    """Refuse tensors whose memory is not what they are: there is none, or their values are its negatives."""
    for part, path in paths.items():
        for name, tensor in (*part._parameters.items(), *part._buffers.items()):
            if tensor is None:
                continue
            where = f"{path}.{name}".lstrip(".")
            if tensor.is_meta:  # torch computes with them beside others, and reads what lies anywhere
                raise RefusedError(f"bounds: {where} is on the device 'meta' and has no values")
            if tensor.is_neg():
                raise RefusedError(f"bounds: {where} is a negative view; give it values by .resolve_neg()")


def _quickly(tracing: Tracing, module: nn.Module, example: Tensor, paths: dict[nn.Module, str]) -> Any:
    """What the module gives, None where that takes torch.fx, which tells what was in the way, or takes it."""
    layers = chain_of(module)
    try:
        if layers is not None:
            return tracing.returned(tracing.along("", layers, tracing.given(example)))
        return Directly(tracing, module, paths).run(example)
    except RequestError:
        raise
    except Exception:
        return None


def _compared(
    tracing: Tracing, result: Any, module: nn.Module, example: Tensor, untouched: Callable[[], bool]
) -> Graph:
    if not isinstance(result, Ref):
        raise RefusedError(f"bounds: {type(module).__name__} must give one tensor that depends on its input")
    graph = Graph(_needed(tracing.nodes, result.place))
    compare(graph, module, example, untouched)
    return graph


def _needed(nodes: list[Node], output: int) -> list[Node]:
    """The nodes that the output depends on, and the input, with their new places."""
    wanted = {0, output}
    for place in range(output, 0, -1):
        if place in wanted:
            wanted.update(nodes[place].inputs)
    if len(wanted) == len(nodes):
        return nodes
    kept = sorted(wanted)
    places = {old: new for new, old in enumerate(kept)}
    for old in kept:
        nodes[old].inputs = tuple(places[source] for source in nodes[old].inputs)
    return [nodes[old] for old in kept]
