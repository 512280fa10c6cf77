"""Tracing by doubles that know their tracer, against torch.fx as it comes; and modules that are not what they seem."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("torch", reason="bounds need torch")

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.nn.utils.parametrizations import weight_norm

from operation_networks import NETWORKS, Program
from sparring import Region
from sparring.errors import RefusedError
from sparring_plugins.bounds.crown import Crown
from sparring_plugins.propagation import tracer
from sparring_plugins.propagation.kept_graphs import graph_of

BY_NAME = {network.name: network for network in NETWORKS}
UNQUICK = {"gru-two-steps", "beside-constants"}
"""These hand stand-ins to functions that take none, and so are traced by torch.fx as it comes."""


def paths(graph: fx.Graph) -> list[list[str]]:
    stacks = (node.meta.get("nn_module_stack") or {} for node in graph.nodes if node.op != "output")
    return [[path for path, _ in stack.values()] for stack in stacks]


@pytest.mark.parametrize("name", BY_NAME)
def test_quick_traces_are_those_of_torch(name):
    module = BY_NAME[name].module(torch.float64)
    if tracer.chain_of(module) is not None:
        assert tracer.symbolic(module).graph is None
        return
    if name in UNQUICK:
        with pytest.raises(TypeError):
            tracer._quickly(module)
        return
    quick = tracer._quickly(module).graph
    with torch.no_grad():
        slow = tracer._Tracer(wraps=True).trace(tracer._double(module, {}, None))
    assert quick is not None
    assert str(quick) == str(slow)
    assert paths(quick) == paths(slow)


@pytest.mark.parametrize("name", BY_NAME)
def test_nodes_have_the_shapes_of_what_they_give(name):
    module = BY_NAME[name].module(torch.float64)
    draw = torch.Generator().manual_seed(1)
    inputs = torch.randn(2, *BY_NAME[name].shape, generator=draw, dtype=torch.float64) + BY_NAME[name].shift
    graph, found = graph_of(module, inputs), [inputs]
    for node in graph.nodes[1:]:
        found.append(node.value(*(found[place] for place in node.inputs)))
        assert tuple(found[-1].shape[1:]) == tuple(node.shape)


class Backward(nn.Sequential):
    """A chain that is none."""

    def forward(self, x: Tensor) -> Tensor:
        for layer in reversed(self):
            x = layer(x)
        return x


class Twice(nn.Linear):
    """A linear layer that is none."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


class Called(nn.Module):
    """Does something of its own when it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def __call__(self, x: Tensor) -> Tensor:
        return 3 * super().__call__(x)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.layer(x))


class Giving(nn.Module):
    """Gives attributes in a way of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def __getattr__(self, name: str) -> object:
        return super().__getattr__("layer").weight * 2 if name == "doubled" else super().__getattr__(name)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.doubled)


class Listed(nn.Module):
    """Keeps a list of the classes that are derived from it."""

    derived: tuple[type, ...] = ()

    def __init_subclass__(cls) -> None:
        Listed.derived = (*Listed.derived, cls)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x) * 2


class Inside(nn.Module):
    """Takes the weight of a layer out of it, and numbers out of `math` and shapes."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.body = nn.Linear(4, 4), nn.Sequential(nn.ReLU(), nn.Linear(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        start = torch.zeros(x.shape[0], 4, dtype=x.dtype)
        return self.body(start + F.linear(x, self.layer.weight.abs()) / math.sqrt(x.shape[1]))


ODD = {
    "sequential": lambda: Backward(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)),
    "sequential-inside": lambda: nn.Sequential(nn.Tanh(), Backward(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))),
    "linear": lambda: nn.Sequential(Twice(4, 4), nn.ReLU()),
    "called": lambda: nn.Sequential(Called(), nn.ReLU()),
    "giving": Giving,
    "listed": Listed,
    "inside": Inside,
    "normed": lambda: Program(lambda m, x: torch.relu(m.layer(x)) + x, layer=weight_norm(nn.Linear(4, 4))),
    "normed-chain": lambda: nn.Sequential(weight_norm(nn.Linear(4, 4)), nn.ReLU()),
}


@pytest.mark.parametrize("name", ODD)
def test_modules_are_bounded_as_what_they_are(name):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        module = ODD[name]().double().eval()
        center = torch.randn(3, 4, dtype=torch.float64)
    for _ in range(2):
        low, high = Crown().bound(module, Region(center, 0.0), None)
        assert torch.allclose(low, module(center), atol=1e-9)
        assert torch.allclose(high, module(center), atol=1e-9)
        with torch.no_grad():  # a graph that is kept follows today's weights
            for weight in module.parameters():
                weight.mul_(-0.5)
    assert Listed.derived == ()


def test_chains_inside_are_one_operation_to_the_tracer():
    chain = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.ReLU(), nn.Linear(4, 4)))
    module = Program(lambda m, x: m.chain(x) + x, chain=chain)
    graph = tracer._quickly(module).graph
    assert graph is not None
    assert [node.target for node in graph.nodes if node.op == "call_module"] == ["chain"]
    names = [node.name for node in graph_of(module, torch.zeros(1, 4)).nodes]
    assert names[1:4] == ["chain.0", "chain.1.0", "chain.1.1"]


@pytest.mark.parametrize("inside", [False, True])
def test_hooks_inside_of_chains_are_refused(inside):
    module: nn.Module = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.ReLU(), nn.Linear(4, 4)))
    if inside:
        module = Program(lambda m, x: m.chain(x) + x, chain=module)
    path = "chain.1.0" if inside else "1.0"
    part = module.get_submodule(path)
    graph_of(module, torch.zeros(1, 4))
    part.register_forward_hook(lambda layer, given, result: result + 1)
    with pytest.raises(RefusedError, match=f"at '{path}' has forward hooks"):
        graph_of(module, torch.zeros(1, 4))


def test_tracing_leaves_classes_and_modules_alone():
    call, attribute = nn.Module.__call__, nn.Module.__getattr__
    module = Program(lambda m, x: m.layer(x) + m.shift, layer=nn.Linear(4, 4), shift=torch.ones(4))
    seen = []
    Program.forward, forward = lambda self, x: (seen.append(nn.Module.__call__), forward(self, x))[1], Program.forward
    try:
        graph_of(module, torch.zeros(1, 4))
    finally:
        Program.forward = forward
    assert seen == [call] * 2  # once with stand-ins, once for comparison
    assert nn.Module.__getattr__ is attribute
    assert type(module) is Program
    assert "_tracer" not in module.__dict__


def test_an_operation_that_does_not_fit_is_named():
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x) if isinstance(x, fx.Proxy) else torch.relu(x[:, :3])

    module = Odd()
    with pytest.raises(RefusedError, match=r"no rule for Linear as it is used .* at 'layer'"):
        graph_of(module, torch.zeros(1, 5))
    with pytest.raises(RefusedError, match="the traced graph of Odd differs"):
        graph_of(module, torch.zeros(1, 4))
