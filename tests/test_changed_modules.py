"""Changes of what a module's code can see are seen, and nothing that it computes beside the trace stays as it was."""

from __future__ import annotations

import functools
import gc
import itertools
import types
import weakref

import pytest

pytest.importorskip("torch", reason="bounds need torch")

import numpy as np
import torch
from torch import Tensor, nn

import sparring
from operation_networks import Program
from sparring import Region
from sparring.errors import RefusedError
from sparring_plugins.propagation.kept_graphs import graph_of
from sparring_plugins.propagation.reach import Reach

SCALE, HELD, USUAL, NUMBER = [1.0], torch.ones(4), torch.ones(4), 1.0
CENTER = torch.linspace(-1, 1, 8).view(2, 4)


def scaled(m: nn.Module, x: Tensor) -> Tensor:
    return m.layer(x) * NUMBER


def renamed(number: float) -> None:
    globals()["NUMBER"] = number


class Classed(nn.Module):
    """Takes a number from its class, and one by way of a property."""

    factor = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.told = nn.Linear(4, 4), types.SimpleNamespace(shift=0.0)

    @property
    def shift(self) -> float:
        return self.told.shift

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) * self.factor + self.shift


class Defaulted(nn.Module):
    """Takes a tensor by default."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: Tensor, factor: Tensor = USUAL) -> Tensor:
        return self.layer(x) * (factor * 2)


def holding(value):
    """A module that multiplies by what it is told to find in a value it keeps."""

    def make(find):
        return Program(lambda m, x: m.layer(x) * find(m.held), layer=nn.Linear(4, 4), held=value())

    return make


def linear(find):
    return Program(lambda m, x: m.layer(x) * find(), layer=nn.Linear(4, 4))


def closed_over():
    box = [1.0]
    module = Program(lambda m, x: m.layer(x) * box[0], layer=nn.Linear(4, 4))
    module.change = lambda: box.__setitem__(0, 5.0)
    return module


CHANGES = {
    "dict inside": (
        lambda: holding(lambda: {"a": {"b": 1.0}})(lambda h: h["a"]["b"]), lambda m: m.held["a"].update(b=5.0),
    ),
    "list in a tuple": (lambda: holding(lambda: ([1.0],))(lambda h: h[0][0]), lambda m: m.held[0].__setitem__(0, 5.0)),
    "object": (
        lambda: holding(lambda: types.SimpleNamespace(a=1.0))(lambda h: h.a), lambda m: setattr(m.held, "a", 5.0),
    ),
    "array": (lambda: holding(lambda: np.ones(1))(lambda h: float(h[0])), lambda m: m.held.fill(5.0)),
    "set": (lambda: holding(lambda: {1.0})(sum), lambda m: m.held.add(4.0)),
    "partial": (
        lambda: holding(lambda: functools.partial(max, key=float))(lambda h: len(h.keywords)),
        lambda m: m.held.keywords.update(default=1.0),
    ),
    "tensor in a list": (lambda: holding(lambda: [torch.ones(4)])(lambda h: h[0] * 2), lambda m: m.held[0].fill_(5.0)),
    "global list": (lambda: linear(lambda: SCALE[0]), lambda m: SCALE.insert(0, 5.0)),
    "global tensor": (lambda: linear(lambda: HELD * 2), lambda m: HELD.fill_(5.0)),
    "global number": (lambda: Program(scaled, layer=nn.Linear(4, 4)), lambda m: renamed(5.0)),
    "closure": (closed_over, lambda m: m.change()),
    "class": (Classed, lambda m: setattr(Classed, "factor", 5.0)),
    "property": (Classed, lambda m: setattr(m.told, "shift", 5.0)),
    "default": (Defaulted, lambda m: USUAL.fill_(5.0)),
    "method": (Classed, lambda m: setattr(Classed, "forward", lambda self, x: 5 * self.layer(x))),
}  # fmt: skip


@pytest.fixture
def _unchanged():
    forward, factor = Classed.forward, Classed.factor
    yield
    Classed.forward, Classed.factor = forward, factor
    SCALE[:] = [1.0]
    HELD.fill_(1.0)
    USUAL.fill_(1.0)
    renamed(1.0)


@pytest.mark.usefixtures("_unchanged")
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_between_two_bounds_is_seen(name):
    make, change = CHANGES[name]
    module, region = make(), Region(CENTER, 0.0)
    before = sparring.bound(module, region, "crown")
    with torch.no_grad():
        change(module)
        wanted = module(CENTER)
    low, high = sparring.bound(module, region, "crown")
    assert not torch.allclose(before[0], wanted, atol=1e-2)
    assert bool(((low <= wanted) & (wanted <= high)).all())


class Usual(nn.Module):
    """What most networks are like: parts, numbers, functions of torch and of its own."""

    scale = 2.0

    def __init__(self) -> None:
        super().__init__()
        self.body, self.sizes, self.curve = nn.Sequential(nn.Linear(4, 4)), [1, (2, "a")], torch.tanh

    def forward(self, x: Tensor, shift: float = 1.0) -> Tensor:
        return self.curve(self.body(x)) * self.scale * twice(len(self.sizes)) + shift


def twice(number: float) -> float:
    return 2 * number


def test_graphs_of_usual_modules_are_kept():
    for module in (Usual(), nn.Sequential(nn.Linear(4, 4), nn.ReLU()), Program(scaled, layer=nn.Linear(4, 4))):
        assert graph_of(module, CENTER) is graph_of(module, CENTER)
    assert Reach([Usual()]).closed


def test_parameters_that_come_out_of_a_generator_are_fetched_anew_and_have_gradients():
    module = Program(lambda m, x: m.layer(x) * sum(part.sum() for part in m.parameters()), layer=nn.Linear(4, 4))
    for _ in range(2):
        with torch.no_grad():
            module.layer.weight.add_(0.5)
        low, high = sparring.bound(module, Region(CENTER, 0.0), "crown")
        found = torch.autograd.grad((low + high).sum() / 2, module.layer.weight)[0]
        wanted = torch.autograd.grad(module(CENTER).sum(), module.layer.weight)[0]
        assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_what_changes_by_being_called_is_refused():
    counting = Program(lambda m, x: (setattr(m, "count", m.count + 1), m.layer(x) * m.count)[1], layer=nn.Linear(4, 4))
    counting.count = 0
    ticks = itertools.count(1)
    timed = Program(lambda m, x: m.layer(x) * next(ticks), layer=nn.Linear(4, 4))
    for module in (counting, timed):
        with pytest.raises(RefusedError, match="other values each time it is called"):
            graph_of(module, CENTER)


def test_a_module_that_does_not_mind_being_refused_is_refused():
    def largest(x: Tensor) -> float:
        try:
            return max(float(row.max()) for row in x)
        except Exception:
            return 1.0

    module = Program(lambda m, x: m.layer(x) * (9 if largest(x) > 50 else 1), layer=nn.Linear(4, 4))
    with pytest.raises(RefusedError, match="cannot be iterated"):
        graph_of(module, CENTER)


@pytest.mark.parametrize("register", ["register_module_forward_hook", "register_module_forward_pre_hook"])
def test_hooks_of_all_modules_are_refused(register):
    module = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    graph_of(module, CENTER)
    handle = getattr(nn.modules.module, register)(lambda *given: None)
    try:
        with pytest.raises(RefusedError, match="hooks of all modules"):
            graph_of(module, CENTER)
    finally:
        handle.remove()


@pytest.mark.parametrize("replaced", [(nn.functional, "relu"), (nn.Linear, "forward")])
def test_functions_that_are_replaced_are_seen(replaced, monkeypatch):
    module = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    nn.init.ones_(module[0].bias)
    graph_of(module, CENTER)
    real = getattr(*replaced)
    monkeypatch.setattr(*replaced, lambda *given, **named: 3 * real(*given, **named))
    with pytest.raises(RefusedError, match="differs from the module itself"):
        graph_of(module, CENTER)


@pytest.mark.parametrize(
    "make", [Usual, Defaulted, lambda: nn.Linear(4, 4), lambda: Program(lambda m, x: x * m.shift, shift=torch.ones(4))]
)
def test_modules_go_when_nobody_else_has_them(make):
    module = make()
    for graded in (True, False):
        with torch.set_grad_enabled(graded):
            low, high = sparring.bound(module, Region(CENTER, 0.1), "crown")
    held = weakref.ref(module)
    del module, low, high
    gc.collect()
    assert held() is None


def test_negative_views_are_refused():
    """Their memory holds something else."""
    module, region = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2)), Region(CENTER, 0.1)
    sparring.bound(module, region)
    module[2].weight.data = torch._neg_view(module[2].weight.data)
    with pytest.raises(RefusedError, match=r"2\.weight is a negative view"):
        sparring.bound(module, region)


def test_weights_without_values_are_refused():
    """Torch multiplies by them, and so do compiled loops: by whatever lies in memory, or nothing."""
    module, region = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2)), Region(CENTER, 0.1)
    sparring.bound(module, region)
    module[2].weight = nn.Parameter(module[2].weight.to("meta"))
    with pytest.raises(RefusedError, match=r"2\.weight is on the device 'meta'"):
        sparring.bound(module, region)


class Bare(nn.Module):
    """Has its weights itself."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Parameter(torch.randn(5, 4)), nn.Parameter(torch.randn(2, 5))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(torch.relu(nn.functional.linear(x, self.first)), self.second)


@pytest.mark.parametrize("method", ["ibp", "crown-ibp", "crown-ibp(beta=0.5)", "crown", "alpha-crown(steps=2)"])
def test_gradients_are_there_when_the_module_is_gone(method):
    center = CENTER.clone().requires_grad_()
    module = Bare()
    wanted = torch.autograd.grad(sparring.bound(module, Region(center, 0.1), method)[0].sum(), center)
    bounds = sparring.bound(module, Region(center, 0.1), method)[0]
    held = weakref.ref(module)
    del module
    gc.collect()
    assert held() is None
    assert torch.equal(torch.autograd.grad(bounds.sum(), center)[0], wanted[0])


class Counting(nn.Module):
    """Writes to a buffer in each call, in place, past what a trace can see."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        next(self.buffers()).add_(1)
        return self.layer(x) * self.calls


@pytest.mark.parametrize("method", ["ibp", "crown"])
def test_what_a_module_writes_to_its_buffers_is_seen(method):
    with pytest.raises(RefusedError):
        sparring.bound(Counting(), Region(CENTER, 0.1), method)


def test_a_name_of_a_closure_may_have_no_value():
    def made(with_factor):
        if with_factor:
            factor = 3.0
        return Program(lambda m, x: m.layer(x) * factor if with_factor else m.layer(x), layer=nn.Linear(4, 4))

    for with_factor in (True, False):
        module = made(with_factor)
        low, high = sparring.bound(module, Region(CENTER, 0.0), "crown")
        assert bool(((low <= module(CENTER)) & (module(CENTER) <= high)).all())
