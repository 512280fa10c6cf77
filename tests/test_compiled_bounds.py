"""Compiled loops of bound propagation against the same steps in torch, and against what they promise."""

from __future__ import annotations

import importlib
import math
import pkgutil

import pytest

pytest.importorskip("torch", reason="bounds need torch")

import torch
from numba.core.dispatcher import Dispatcher
from torch import nn
from torch.autograd import gradcheck

import sparring
from sparring import Region
from sparring_plugins.propagation import affine, backward, kernels, middles, outward, propagation, windows
from sparring_plugins.propagation.compiled_linear import through_small
from sparring_plugins.propagation.compiled_lines import compiled_lines
from sparring_plugins.propagation.compiled_rows import least_over_boxes, shares, through_lines
from sparring_plugins.propagation.curves import Lines, ReLU, Sigmoid, Tanh
from sparring_plugins.propagation.nodes import Interval
from sparring_plugins.propagation.outward import outward_lines


def drawn(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@pytest.fixture
def plain(monkeypatch):
    """A function that turns compiled loops off."""

    def turn_off():
        for module in (backward, middles, outward, windows):
            monkeypatch.setattr(module, "serves", lambda like, work: False)
        monkeypatch.setattr(affine, "is_small", lambda low, weight: False)

    return turn_off


class Twice(nn.Module):
    """One layer used in two places, beside a connection past it."""

    def __init__(self, curve):
        super().__init__()
        self.first, self.shared, self.last = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3)
        self.curve = curve

    def forward(self, x):
        x = self.curve(self.first(x))
        x = x + self.curve(self.shared(x))
        return self.last(self.curve(self.shared(x)))


def pictures():
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, 2, 1), nn.ReLU(), nn.Conv2d(3, 4, 2), nn.ReLU(), nn.Flatten(), nn.Linear(36, 7), nn.Tanh(),
        nn.Linear(7, 3),
    )  # fmt: skip


NETWORKS = {
    "relu": (lambda: Twice(nn.ReLU()), (6,)),
    "tanh": (lambda: Twice(nn.Tanh()), (6,)),
    "sigmoid": (lambda: Twice(nn.Sigmoid()), (6,)),
    "leaky": (lambda: Twice(nn.LeakyReLU(0.1)), (6,)),
    "pictures": (pictures, (1, 8, 8)),
}


@pytest.mark.parametrize("method", ["crown", "crown-ibp", "alpha-crown(steps=4)"])
@pytest.mark.parametrize("name", NETWORKS)
def test_bounds_and_gradients_are_those_of_torch(name, method, plain):
    make, shape = NETWORKS[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        module = make().double().eval()
    found = []
    for compiled in (True, False):
        if not compiled:
            plain()
        center = drawn(3, *shape).requires_grad_()
        lower, upper = sparring.bound(module, Region(center, 0.2), method)
        found.append([lower, upper])
        if "alpha" not in method:  # whose gradient is that of crown or of better slopes, whichever is less by a digit
            wanted = [center, *module.parameters()]
            found[-1] += torch.autograd.grad((upper.square() - lower).sum(), wanted)
    for ours, theirs in zip(*found, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("curve", [nn.ReLU, nn.Tanh])
@pytest.mark.parametrize("compiled", [True, False])
def test_windows_give_what_rows_over_whole_pictures_give(curve, compiled, plain, monkeypatch):
    """Samples, sides, strides and paddings all differ, and windows reach over every rim."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        module = nn.Sequential(
            nn.Conv2d(2, 3, (3, 4), 2, (1, 2)), curve(), nn.Conv2d(3, 4, (2, 3), (1, 2), (1, 2)), curve(),
            nn.Conv2d(4, 3, (3, 2), 1, (2, 1)), curve(), nn.Flatten(), nn.Linear(3 * 7 * 6, 3),
        ).double()  # fmt: skip
    if not compiled:
        plain()
    monkeypatch.setattr(propagation, "CACHED", 500)  # units of several samples and places in one piece, and in two
    region = Region(drawn(3, 2, 8, 14), 0.05)
    with torch.no_grad():
        cut = sparring.bound(module, region, "crown")
        monkeypatch.setattr(propagation, "largest_window", lambda graph, place: None)
        whole = sparring.bound(module, region, "crown")
    for ours, theirs in zip(cut, whole, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("mirrored", [True, False])
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("taken", [None, [0, 2, 2, 1]])
def test_gradients_of_moved_rows_are_right(mirrored, shared, biased, taken):
    take = None if taken is None else torch.tensor(taken)
    batch = 3 if take is None else 4
    parts = [drawn(3, 5, seed=seed).requires_grad_() for seed in range(1, 5)]
    rows = drawn(1 if shared else batch, 2, 5).requires_grad_()
    bias = drawn(5, seed=9).requires_grad_() if biased else None
    odd, even = drawn(1, 2, seed=7).requires_grad_(), drawn(batch, 2, seed=8)

    def moved(rows, *rest):
        found = Lines(*rest[:4])
        return through_lines(rows, found, take, rest[4] if biased else None, odd, even, mirrored)

    assert gradcheck(moved, (rows, *parts, *([bias] if biased else [])))


@pytest.mark.parametrize("mirrored", [True, False])
@pytest.mark.parametrize("taken", [None, [0, 2, 2, 1]])
def test_gradients_at_the_input_are_right(mirrored, taken):
    take = None if taken is None else torch.tensor(taken)
    rows, center = drawn(3 if take is None else 4, 2, 5).requires_grad_(), drawn(3, 5, seed=1).requires_grad_()
    radius = drawn(3, 5, seed=2).abs().requires_grad_()
    assert gradcheck(lambda r, c, w: least_over_boxes(r, (c, w), take, 0.0, 0.0, mirrored), (rows, center, radius))
    one = drawn(1, 2, 5).requires_grad_()
    assert gradcheck(lambda r: least_over_boxes(r, (center, radius), take, 0.0, 0.0, mirrored), (one,))


def test_gradients_of_shares_and_small_layers_are_right():
    rows, bias = drawn(2, 3, 2, 4).requires_grad_(), drawn(2, 4, seed=1).requires_grad_()
    assert gradcheck(lambda r, b: shares(r, b, None, None)[0], (rows, bias))
    low, weight = drawn(3, 4).requires_grad_(), drawn(5, 4, seed=2).requires_grad_()
    high, shift = (low.detach() + drawn(3, 4, seed=3).abs()).requires_grad_(), drawn(5, seed=4).requires_grad_()
    assert gradcheck(lambda *given: tuple(through_small(Interval(*given[:2]), *given[2:], 4)[0]),
                     (low, high, weight, shift))  # fmt: skip


@pytest.mark.parametrize("curve", [ReLU(), Tanh(), Sigmoid()], ids=lambda curve: type(curve).__name__)
@pytest.mark.parametrize("choice", ["adaptive", "same", "zero", "one"])
def test_compiled_lines_are_those_of_the_curve(curve, choice, plain):
    center, reach = drawn(40, 16) * 3, drawn(40, 16, seed=1).abs() * torch.tensor([1e-9, 1e-4, 0.1, 3.0]).repeat(4)
    error = drawn(40, 16, seed=2).abs() * 1e-6
    ends = [(center - reach).requires_grad_(), (center + reach).requires_grad_()]
    weights = [drawn(40, 16, seed=3 + place) for place in range(4)]
    found = []
    for compiled in (True, False):
        if not compiled:
            plain()
        lines = outward_lines(curve, Interval(*ends), error, 9, choice)
        parts = [lines.lower_slope, lines.lower_intercept, lines.upper_slope, lines.upper_intercept]
        total = sum((part * weight).sum() for part, weight in zip(parts, weights, strict=True))
        found.append([*parts, *torch.autograd.grad(total, ends)])
    for place, (ours, theirs) in enumerate(zip(*found, strict=True)):
        # The slope of a chord that short is a difference of near numbers, and its gradient one of nearer ones.
        assert torch.allclose(ours, theirs, rtol=0, atol=1e-13 if place < 4 else 1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("curve", [ReLU(), Tanh(), Sigmoid()], ids=lambda curve: type(curve).__name__)
def test_compiled_lines_hold_the_curve_in_exact_arithmetic(curve, dtype):
    reach = torch.tensor([0.0, 1e-30, 1e-7, 1e-3, 0.1, 1.0, 5.0, 40.0], dtype=torch.float64).repeat(50)
    center = drawn(400, 64) * torch.tensor([1e-30, 1e-6, 0.3, 1.0, 4.0, 20.0, 90.0, 0.0]).repeat(8)
    low, high = ((center + side * reach[:, None]).to(dtype) for side in (-1, 1))
    lines = compiled_lines(curve, Interval(low, high), None, 3, "adaptive")
    for share in torch.linspace(0, 1, 41, dtype=torch.float64):
        x = torch.lerp(low, high, share.to(dtype)).clamp(low, high)
        value, x = curve.value(x).double(), x.double()
        # In double precision of which the sums below are right to the last digits, which widening exceeds by far.
        assert bool((lines.lower_slope.double() * x + lines.lower_intercept.double() <= value).all())
        assert bool((lines.upper_slope.double() * x + lines.upper_intercept.double() >= value).all())


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_no_number_never_becomes_one(bad):
    for curve in (ReLU(), Tanh(), Sigmoid()):
        for low, high in ((bad, bad), (-1.0, bad), (-bad, 1.0)):
            lines = compiled_lines(curve, Interval(torch.tensor([[low]]), torch.tensor([[high]])), None, 3, "adaptive")
            assert not bool(torch.isfinite(lines.lower_intercept).any() | torch.isfinite(lines.upper_intercept).any())
    rows, whole = torch.tensor([[[1.0, bad]]]), torch.ones(1, 2)
    moved, known = through_lines(rows, Lines(whole, whole, whole, whole), None, None, 0.0, 0.0, mirrored=True)
    assert not bool(torch.isfinite(moved[:, :, 1]).any() | torch.isfinite(known).any())
    assert not bool(torch.isfinite(least_over_boxes(rows, (whole, whole), None, 0.0, 0.0, mirrored=True)).any())
    box, _ = through_small(Interval(torch.tensor([[0.0, bad]]), torch.tensor([[0.0, bad]])), torch.ones(1, 2), None, 2)
    assert not bool(torch.isfinite(box.low).any() | torch.isfinite(box.high).any())


def test_sums_whose_order_is_open_are_inlined_so_that_every_process_has_the_same():
    found = [
        value
        for module in pkgutil.iter_modules(kernels.__path__)
        for value in vars(importlib.import_module(f"{kernels.__name__}.{module.name}")).values()
        if isinstance(value, Dispatcher) and value.targetoptions.get("fastmath")
    ]
    assert len(found) > 30
    assert all(value.targetoptions.get("forceinline") for value in found)


def test_sums_over_many_biases_are_right_to_the_last_digit():
    """A bias of each channel counts once for each place of a picture: more terms than a convolution has."""
    count = 1 << 16
    rows, bias = drawn(1, 1, count, dtype=torch.float32), drawn(count, seed=1, dtype=torch.float32)
    exact = float((rows[0, 0].double() * bias.double()).sum())
    odd, _ = shares(rows, bias, None, None)
    zero, one = torch.zeros(1, count), torch.ones(1, count)
    _, known = through_lines(rows, Lines(one, zero, one, zero), None, bias, 0.0, 0.0, mirrored=False)
    for found in (odd, known):
        assert abs(float(found) - exact) <= 2e-7 * abs(exact)
