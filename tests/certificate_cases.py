"""What tests of certificates need: a backend of their own, greedy policies, and small worlds that can be set back."""

from __future__ import annotations

import copy
import itertools
from dataclasses import dataclass, field

import numpy as np
import pytest

from sparring.access import Ball
from sparring.bounds import BoundBackend
from sparring.certificates import observation_region
from sparring.errors import RefusedError
from sparring.forms import Form
from sparring.policy import Ability, Policy
from sparring.projection import project_ball

torch = pytest.importorskip("torch")

REWARDS, SEEDS = (1.0, 0.2, -0.4, 0.7, 0.1), (0, 1, 2, 3)
"""Of the walks, and what they begin from."""
ROOM = 1e-6
"""Relative room for the rounding of float32, added at every layer."""


class Intervals(BoundBackend):
    """Interval propagation over the traced graph, the specification folded into a last linear layer.

    Exact, but for rounding, on one linear layer over a box.
    """

    name = "test-intervals"
    summary = "interval propagation of a few operations"

    def __init__(self):
        super().__init__()
        self.calls = []

    def bound(self, module, region, spec):
        self.calls.append(len(region.center))
        low, high = (corner.detach().double() for corner in region.corners)
        with torch.no_grad():
            low, high = _Walk(torch.fx.symbolic_trace(module), spec).run((low, high))
        return low.to(region.center.dtype), high.to(region.center.dtype)


class _Walk(torch.fx.Interpreter):
    def __init__(self, traced, spec):
        super().__init__(traced)
        self.spec = None if spec is None else spec.double()
        last = next(node for node in traced.graph.nodes if node.op == "output").args[0]
        self.last = (
            last
            if last.op == "call_module" and isinstance(traced.get_submodule(last.target), torch.nn.Linear)
            else None
        )

    def run_node(self, node):
        found = super().run_node(node)
        if node.op == "output" and self.spec is not None and self.last is None:
            return affine(self.spec, torch.zeros(1), *found)
        return widened(found) if node.op in ("call_module", "call_function", "call_method") else found

    def call_module(self, target, args, kwargs):
        layer, (pair,) = self.fetch_attr(target), args
        if isinstance(layer, torch.nn.Linear):
            weight, bias = layer.weight.double(), torch.zeros(1) if layer.bias is None else layer.bias.double()
            if self.spec is not None and self.last is not None and self.last.target == target:
                weight, bias = self.spec @ weight, self.spec @ bias if layer.bias is not None else bias
            return affine(weight, bias, *pair)
        if isinstance(layer, torch.nn.ReLU | torch.nn.Tanh | torch.nn.Flatten | torch.nn.Identity):
            return layer(pair[0]), layer(pair[1])
        raise RefusedError(f"bounds {Intervals.name}: no rule for {type(layer).__name__} at {target!r}")

    def call_function(self, target, args, kwargs):
        if target in (torch.cat, torch.ops.aten.cat):
            return tuple(torch.cat([pair[side] for pair in args[0]], **kwargs) for side in (0, 1))
        sides = [tuple(arg[side] if isinstance(arg, tuple) and torch.is_tensor(arg[0]) else arg for arg in args)
                 for side in (0, 1)]  # fmt: skip
        return tuple(target(*side, **kwargs) for side in sides)  # adding, indexing and monotone functions


def affine(weight, bias, low, high):
    up, down = weight.clamp(min=0), weight.clamp(max=0)
    pattern = "ri,bi->br" if weight.dim() == 2 else "bri,bi->br"
    lower = torch.einsum(pattern, up, low) + torch.einsum(pattern, down, high)
    upper = torch.einsum(pattern, up, high) + torch.einsum(pattern, down, low)
    return lower + bias, upper + bias


def widened(pair):
    low, high = pair
    return low - ROOM * (low.abs() + 1e-6), high + ROOM * (high.abs() + 1e-6)


class Said(BoundBackend):
    """Gives what a function makes of sound bounds."""

    name = "test-said"
    summary = "bounds that are spoilt"

    def __init__(self, spoil):
        super().__init__()
        self.spoil = spoil

    def bound(self, module, region, spec):
        return self.spoil(*Intervals().bound(module, region, spec))


def linear(weight, bias=None, dtype=torch.float32):
    """A network of one linear layer with these numbers."""
    rows = torch.as_tensor(np.asarray(weight), dtype=dtype)
    layer = torch.nn.Linear(rows.shape[1], rows.shape[0], dtype=dtype)
    with torch.no_grad():
        layer.weight.copy_(rows)
        layer.bias.copy_(torch.as_tensor(np.zeros(len(rows)) if bias is None else np.asarray(bias), dtype=dtype))
    return torch.nn.Sequential(layer)


def network(seed, sizes, dtype=torch.float32, activation=torch.nn.ReLU):
    """A random network, seeded apart from the global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = []
        for inputs, outputs in itertools.pairwise(sizes):
            layers += [torch.nn.Linear(inputs, outputs, dtype=dtype), activation()]
        return torch.nn.Sequential(*layers[:-1]).eval()


@dataclass(frozen=True, eq=False)
class Greedy(Policy):
    """A memoryless greedy policy over a network."""

    net: object
    declared: frozenset = frozenset({Ability.MODULE, Ability.DETERMINISTIC})

    @property
    def form(self):
        return Form.SIMULATED

    @property
    def abilities(self):
        return self.declared

    def to_document(self):
        return {"kind": "test"}

    def module(self):
        return self.net

    def begin(self, batch):
        return None

    def outputs(self, observation):
        with torch.no_grad():
            return self.net(torch.as_tensor(observation, dtype=next(self.net.parameters()).dtype)).numpy()

    def act(self, observation, memory, rng):
        return self.outputs(observation).argmax(axis=1), memory


class OtherWise(Greedy):
    """Takes the worst action, so it is not greedy."""

    def act(self, observation, memory, rng):
        return self.outputs(observation).argmin(axis=1), memory


class Continuous(Greedy):
    def act(self, observation, memory, rng):
        return self.outputs(observation), memory


class OnlyNetwork(Policy):
    """Greedy by declaration; it cannot act itself."""

    form = Form.SIMULATED
    abilities = frozenset({Ability.MODULE, Ability.DETERMINISTIC})

    def __init__(self, net):
        self.net = net

    def to_document(self):
        return {"kind": "test"}

    def module(self):
        return self.net


class Cell(torch.nn.Module):
    """One step of a small recurrent network."""

    def __init__(self, seed, features, width, actions):
        super().__init__()
        self.inner = network(seed, [features + width, width])
        self.squash = torch.nn.Tanh()
        self.head = network(seed + 1, [width, actions])

    def forward(self, observation, state):
        after = self.squash(self.inner(torch.cat([observation, state], dim=1)))
        return self.head(after), after


@dataclass(frozen=True, eq=False)
class Remembering(Greedy):
    """A recurrent greedy policy whose memory is the cell's state."""

    declared: frozenset = frozenset({Ability.RECURRENT, Ability.DETERMINISTIC})
    width: int = 3

    def recurrent_module(self):
        return self.net

    def first_state(self):
        return torch.zeros(self.width)

    def begin(self, batch):
        return torch.zeros(batch, self.width)

    def act(self, observation, memory, rng):
        with torch.no_grad():
            values, after = self.net(torch.as_tensor(observation, dtype=torch.float32), memory)
        return values.numpy().argmax(axis=1), after


@dataclass
class Walk:
    """A walk on a ring of places with rewards of their own, `length` steps long; sticky actions if so wished.

    Actions move back, not at all, or on. With `sticky` an action is replaced by the one before with that chance,
    out of a random state that belongs to what is saved. What is shown is the place on a circle and the step.
    """

    rewards: tuple[float, ...]
    length: int
    sticky: float = 0.0
    merges: bool = True
    forgets_chance: bool = False
    """Whether saving leaves out the random state, which is the mistake that is to be noticed."""
    shape: tuple[int, ...] = (3,)
    place: int = 0
    time: int = 0
    last: int = 1
    chance: np.random.Generator = field(default_factory=np.random.default_rng)
    taken: int = 0
    """Steps since it was made."""

    def reset(self, seed):
        self.chance = np.random.default_rng(seed)
        self.place, self.time, self.last = int(self.chance.integers(len(self.rewards))), 0, 1
        return self.shown()

    def shown(self):
        angle = 2 * np.pi * self.place / len(self.rewards)
        return np.asarray([np.cos(angle), np.sin(angle), self.time / self.length]).reshape(self.shape)

    def step(self, action):
        assert action in (0, 1, 2)
        self.taken += 1
        if self.chance.random() < self.sticky:
            action = self.last
        self.last, self.time = action, self.time + 1
        self.place = (self.place + action - 1) % len(self.rewards)
        return self.shown(), self.rewards[self.place], self.time == self.length

    def save(self):
        state = None if self.forgets_chance else self.chance.bit_generator.state
        return self.place, self.time, self.last, state

    def load(self, saved):
        self.place, self.time, self.last, state = saved
        if state is not None:
            self.chance.bit_generator.state = state

    def fingerprint(self):
        return repr(self.save()) if self.merges else None


def least_by_trying(world, seed, choices, gamma=1.0, horizon=None):
    """Least return over every sequence of actions that `choices(observation)` allows, by plain recursion."""

    def below(observation, depth):
        saved, best = world.save(), np.inf
        for action in choices(observation):
            world.load(saved)
            after, reward, done = world.step(action)
            over = done or depth + 1 == horizon
            best = min(best, reward + (0.0 if over else gamma * below(after, depth + 1)))
        return best

    return below(world.reset(seed), 0)


def vertices(center, radius):
    """Corners of a box around each of several points, [corners, batch, features]."""
    signs = np.asarray(list(itertools.product((-1.0, 1.0), repeat=center.shape[-1])))
    return center + radius * signs[:, None]


def ball_region(net, center, radius, norm="inf"):
    """Where a ball around observations lies, in the precision of the network."""
    return observation_region(Ball(norm), radius, center, net)


def inside(center, radius, norm, rng, count=300):
    """Points of the ball around each sample, its surface among them, [count, batch, features]."""
    change = rng.normal(size=(count, *center.shape)) * rng.choice([0.1, 1.0, 5.0], size=(count, 1, 1))
    change[: count // 3] = np.sign(change[: count // 3]) * 10
    size = np.asarray(radius)
    column = size[:, None] if size.ndim else size
    return center + project_ball(change * column, column if norm == "inf" else size, norm)


def climbed(net, center, radius, norm, row):
    """Where gradient steps lead that raise `row @ outputs`, kept in the ball, [batch, features]."""
    point = torch.as_tensor(center, dtype=torch.float64).clone()
    double = network_in_double(net)
    for _ in range(30):
        point.requires_grad_(True)
        (gradient,) = torch.autograd.grad((double(point) @ row).sum(), point)
        moved = (point + radius * 0.3 * gradient.sign()).detach().numpy()
        point = torch.as_tensor(center + project_ball(moved - center, radius, norm))
    return point.numpy()


def network_in_double(net):
    """A copy."""
    return copy.deepcopy(net).double()


def greedy(net, points):
    """Greedy action at points [..., features], as the victim computes it."""
    own = next(net.parameters()).dtype
    with torch.no_grad():
        values = net(torch.as_tensor(points, dtype=own).reshape(-1, points.shape[-1])).numpy()
    return values.argmax(axis=1).reshape(points.shape[:-1])
