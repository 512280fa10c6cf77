"""Tracing by doubles that know their tracer, against torch.fx as it comes; and modules that are not what they seem."""

from __future__ import annotations

import contextlib
import math
import threading
from concurrent.futures import ThreadPoolExecutor

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
from sparring_plugins.propagation.agreement import _samples
from sparring_plugins.propagation.directly import Directly
from sparring_plugins.propagation.kept_graphs import graph_of
from sparring_plugins.propagation.paths import paths_of
from sparring_plugins.propagation.rules import RULES
from sparring_plugins.propagation.rules.appending import _broadcast
from sparring_plugins.propagation.trace import Tracing
from sparring_plugins.propagation.tracer import symbolically

BY_NAME = {network.name: network for network in NETWORKS}
UNQUICK = {"gru-two-steps", "beside-constants"}
"""These hand stand-ins to functions that take none, and so are traced by torch.fx as it comes."""


def written(module: nn.Module, inputs: Tensor, quick: bool) -> list[tuple[object, ...]]:
    """The nodes of both ways of tracing: what they are, their names, inputs and shapes, and what they give."""
    tracing = Tracing(RULES)
    with torch.no_grad():
        if quick:
            result = Directly(tracing, module, paths_of(module)).run(inputs)
        else:
            result = symbolically(tracing, module, inputs)
        found = [inputs]
        for node in tracing.nodes[1:]:
            found.append(node.value(*(found[place] for place in node.inputs)))
    nodes = [(type(node), node.name, node.inputs, node.shape) for node in tracing.nodes]
    return [*zip(nodes, (value.tolist() for value in found), strict=True), result.place]


@pytest.mark.parametrize("name", BY_NAME)
def test_quick_traces_are_those_of_torch(name):
    module = BY_NAME[name].module(torch.float64)
    draw = torch.Generator().manual_seed(1)
    inputs = torch.randn(2, *BY_NAME[name].shape, generator=draw, dtype=torch.float64) + BY_NAME[name].shift
    if name in UNQUICK:
        with pytest.raises(TypeError):
            written(module, inputs, quick=True)
        return
    assert written(module, inputs, quick=True) == written(module, inputs, quick=False)


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
    "weights": lambda: Program(
        lambda m, x: F.linear(x, m.layer.weight.abs()) * m.shift.exp(), layer=nn.Linear(4, 4), shift=torch.ones(4)
    ),
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
    assert seen == [call] * 3  # once with stand-ins, twice for comparison
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


class Catching(nn.Module):
    """Goes on where an operation raises."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        with contextlib.suppress(RefusedError):
            x = torch.special.erfcx(self.layer(x)) * 0 + x
        return torch.relu(x)


def test_a_refused_operation_is_refused_whatever_the_module_makes_of_it():
    with pytest.raises(RefusedError, match=r"no rule for special_erfcx at 'special_erfcx'"):
        graph_of(Catching(), torch.zeros(1, 4))


def test_what_torch_fx_refuses_is_told_before_operations_without_a_rule():
    module = Program(lambda m, x: x * 2 if torch.special.erfcx(x).sum() > 0 else x)
    with pytest.raises(RefusedError, match=r"cannot be traced by torch.fx: symbolically traced variables"):
        graph_of(module, torch.zeros(1, 4))


class Shared(nn.Module):
    """Holds one layer in two places, and the weight of another in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
        self.again, self.nothing, self.held = self.body[0], None, [self.body[0].weight, torch.ones(4)]

    def forward(self, x: Tensor, scale: float = 2.0) -> Tensor:
        return self.again(self.body(x)) @ self.held[0] + self.held[1] * scale


def test_parts_and_tensors_in_several_places():
    module = Shared()
    assert paths_of(module) == {part: path for path, part in module.named_modules()}
    inputs = torch.rand(2, 4)
    assert written(module, inputs, quick=True) == written(module, inputs, quick=False)
    graph = graph_of(module, inputs)
    with torch.no_grad():
        module.body[0].weight.mul_(-0.5)
        assert torch.equal(graph.value(inputs), module(inputs))


class Keeping(nn.Module):
    """Keeps what it computes, counts, and switches a layer."""

    scale = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.kept, self.count, self.scale = nn.Linear(4, 4), None, 0, 3.0

    def forward(self, x: Tensor) -> Tensor:
        x = x * self.scale  # before anything else is asked for
        self.kept, self.count, self.layer.told = self.layer(x), self.count + 1, True
        return torch.relu(self.kept)


def test_what_forward_passes_keep_is_left_in_doubles():
    module = Keeping()
    low, high = Crown().bound(module, Region(torch.ones(1, 4), 0.0), None)
    assert type(module.kept) is Tensor
    assert module.count == 2  # of the comparison alone
    assert torch.allclose((low + high) / 2, module(torch.ones(1, 4)), atol=1e-6)


def test_threads_trace_side_by_side():
    """One module waits in the middle of its forward pass while another is traced."""
    inside, done = threading.Event(), threading.Event()

    def waits(m: Program, x: Tensor) -> Tensor:
        x = m.layer(x)
        inside.set()
        assert done.wait(30)
        return torch.relu(x) + m.shift

    slow = Program(waits, layer=nn.Linear(4, 4), shift=torch.ones(4))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(graph_of, slow, torch.zeros(1, 4))
        assert inside.wait(30)
        other = Program(lambda m, x: m.layer(x) * m.shift, layer=nn.Linear(4, 4), shift=torch.ones(4))
        names = [node.name for node in graph_of(other, torch.zeros(1, 4)).nodes]
        done.set()
    assert names == ["input", "layer", "mul"]
    assert [node.name for node in waiting.result().nodes] == ["input", "layer", "relu", "add"]


@pytest.mark.parametrize(
    ("first", "second"),
    [((), ()), ((3,), ()), ((), (3,)), ((3,), (1,)), ((1, 4), (3, 1)), ((4,), (3, 1)), ((2, 0), (1,)), ((3,), (4,))],
)
def test_shapes_broadcast_as_those_of_torch(first, second):
    try:
        wanted = tuple(torch.broadcast_shapes(first, second))
    except RuntimeError:
        with pytest.raises(RuntimeError, match="do not broadcast"):
            _broadcast(first, second)
    else:
        assert _broadcast(first, second) == wanted


@pytest.mark.parametrize("wide", [3, 4])
def test_modules_are_compared_on_samples_in_one_piece(wide):
    """They may look at their input in another shape, whatever the strides of the centre are."""
    module = Program(lambda m, x: m.layer(x.view(x.shape[0], -1)), layer=nn.Linear(12, 4))
    center = torch.rand(2, 12 // wide, wide).transpose(1, 2)
    assert [node.name for node in graph_of(module, center).nodes] == ["input", "view", "layer"]
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        graph_of(module, torch.rand(2, 5, 2).transpose(1, 2))


def test_samples_without_a_number_stay_apart():
    """A graph is compared where one input is no number: the other sample is not lost with it."""
    first, other = _samples(torch.tensor([[math.nan, 2.0, 3.0]]).expand(3, 3))
    assert first.isnan().tolist() == other.isnan().tolist() == [True, False, False]
    assert (first - other)[1:].abs().max() > 0.005
