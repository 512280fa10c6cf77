"""Graphs that run as one compiled program give the bounds of the general way, and what has no program goes there."""

from __future__ import annotations

import math
import time
from itertools import pairwise

import pytest

pytest.importorskip("torch", reason="bounds need torch")

import numpy as np
import torch
from torch import nn

import sparring
from sparring import Region
from sparring_plugins.propagation import programs, propagation
from sparring_plugins.propagation.backward import Backward
from sparring_plugins.propagation.boxes import Boxes
from sparring_plugins.propagation.curves import Sigmoid, Tanh
from sparring_plugins.propagation.kept_graphs import graph_of
from sparring_plugins.propagation.patience import patience
from sparring_plugins.propagation.programs import MANY, bounds
from sparring_plugins.propagation.propagation import Propagation

CURVES = (nn.ReLU, nn.Tanh, nn.Sigmoid)
LOOSE = {torch.float32: 2e-5, torch.float64: 1e-13}


class Beside(nn.Module):
    """Sums of branches, a mean taken away and one added, and layers without a curve between them."""

    def __init__(self, width: int, outputs: int, curve: type[nn.Module]) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.Linear(5, width), nn.Linear(width, width), nn.Linear(width, width)
        self.value, self.advantage, self.last = nn.Linear(width, 1), nn.Linear(width, outputs), nn.Linear(outputs, 3)
        self.curve = curve()

    def forward(self, x):
        x = self.curve(self.first(x))
        x = self.curve(x - self.third(self.curve(self.second(x))))
        advantage = self.advantage(x)
        return self.last(self.value(x) + advantage - advantage.mean(1, keepdim=True)) - advantage.sum(1, keepdim=True)


def chain(sizes, curve, bias=True):
    layers = []
    for entry, out in pairwise(sizes):
        layers += [nn.Linear(entry, out, bias=bias), curve()]
    return nn.Sequential(*layers[:-1])


def seeded(make, seed, dtype):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make().to(dtype).eval()


def boxes(batch, features, dtype, seed=0, radius=0.1):
    generator = torch.Generator().manual_seed(seed)
    center = torch.randn(batch, features, generator=generator, dtype=torch.float64).to(dtype)
    return Region(center, radius)


@pytest.fixture
def scattered(monkeypatch):
    """The general way chooses units whatever their number, as programs do, and moves the rows of each sample."""
    monkeypatch.setattr(propagation, "FEW", 2.0)
    monkeypatch.setattr(Backward, "_is_shared", lambda *given: False)


def both(module, region, spec, inner, slope="adaptive"):
    graph = graph_of(module, region.center)
    with torch.no_grad():
        found = bounds(graph, region, spec, inner, slope)
        assert found is not None
        return found, Propagation(graph, region, inner, slope).bounds(spec)


def near(found, wanted, dtype):
    """Where there are many samples, errors of rounding come from norms, which takes them up to three times as far."""
    loose = LOOSE[dtype] * (3 if len(wanted[0]) >= MANY else 1)
    for ours, general in zip(found, wanted, strict=True):
        assert ours.shape == general.shape
        assert ours.dtype is dtype
        assert torch.allclose(ours, general, rtol=loose, atol=loose)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("inner", ["ibp", "crown"])
def test_random_chains_have_the_bounds_of_the_general_way(seed, dtype, inner, scattered):
    rng = np.random.default_rng(seed)
    sizes = [int(rng.integers(1, 40)) for _ in range(rng.integers(2, 6))]
    curve, batch = CURVES[seed % 3], (1, 2, 5, MANY + 3)[seed % 4] if inner == "ibp" else (1, 2, 5, MANY - 1)[seed % 4]
    module = seeded(lambda: chain(sizes, curve, bias=seed != 4), seed, dtype)
    region = boxes(batch, sizes[0], dtype, seed, float(rng.choice([0.0, 1e-3, 0.1, 1.0])))
    slope = ("adaptive", "same", "zero", "one")[seed % 4]
    near(*both(module, region, None, inner, slope), dtype)
    outputs, rows = sizes[-1], int(rng.integers(1, 60))
    for shape in ((rows, outputs), (batch, rows, outputs)):
        spec = torch.as_tensor(rng.normal(size=shape), dtype=dtype)
        near(*both(module, region, spec, inner, slope), dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("batch", [1, 4, MANY])
def test_branches_sums_and_means_have_programs(curve, batch, dtype):
    module, region = seeded(lambda: Beside(9, 4, curve), 3, dtype), boxes(batch, 5, dtype)
    near(*both(module, region, None, "ibp"), dtype)
    spec = torch.linspace(-1, 1, 6, dtype=dtype).view(2, 3)
    near(*both(module, region, spec, "ibp"), dtype)
    # A sum under a curve has no rows of its own to begin with.
    with torch.no_grad():
        assert bounds(graph_of(module, region.center), region, None, "crown", "adaptive") is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [1, MANY + 1])
@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"),
    [
        ((7, 9), 3, 1, 0), ((8, 8), 4, 2, 1), ((9, 6), (2, 3), (3, 2), (0, 1)), ((11, 7), 3, 2, 2), ((5, 8), 2, 3, 1),
        ((20, 19), (5, 4), (4, 3), 0), ((4, 4), 4, 4, 0),
    ],
)  # fmt: skip
def test_convolutions_have_programs(size, kernel, stride, padding, batch, dtype):
    def make():
        first, second = nn.Conv2d(2, 7, kernel, stride, padding), nn.Conv2d(7, 3, 2, padding=1, bias=False)
        head = nn.Sequential(first, nn.ReLU(), second, nn.Tanh(), nn.Flatten())
        width = head(torch.zeros(1, 2, *size)).shape[1]
        return nn.Sequential(head, nn.Linear(width, 5), nn.ReLU(), nn.Linear(5, 9))

    module = seeded(make, 1, dtype)
    region = Region(boxes(batch, 2 * size[0] * size[1], dtype).center.view(batch, 2, *size), 0.05)
    near(*both(module, region, None, "ibp"), dtype)
    near(*both(module, region, torch.eye(9, dtype=dtype)[:, ::2].T - 0.1, "ibp"), dtype)
    with torch.no_grad():
        graph = graph_of(module, region.center)
        assert bounds(graph, region, None, "crown", "adaptive") is None
        if batch < MANY:
            near(bounds(graph, region, None, "boxes", "adaptive"), Boxes(graph, region).bounds(None), dtype)
        # The last step may itself be a convolution.
        near(*both(module[0][:3].append(nn.Flatten()), region, None, "ibp"), dtype)


def test_wide_inputs_are_summed_in_double_precision_and_boxes_may_be_clipped():
    module, region = seeded(lambda: chain([400, 20, 2], nn.ReLU), 0, torch.float32), boxes(3, 400, torch.float32)
    near(*both(module, region, None, "ibp"), torch.float32)
    clipped = Region(region.center, torch.linspace(0, 0.2, 400), low=-0.5, high=torch.full((400,), 0.4))
    near(*both(module, clipped, None, "crown"), torch.float32)


@pytest.mark.parametrize(("method", "graded"), [("crown-ibp", 1), ("crown", 0)])
def test_backends_take_the_program_unless_something_is_differentiated_that_it_keeps_nothing_for(
    method, graded, monkeypatch
):
    module, region = seeded(lambda: chain([4, 6, 2], nn.Tanh), 0, torch.float32), boxes(2, 4, torch.float32)
    taken = []
    monkeypatch.setattr(programs, "_kernel", lambda real=programs._kernel: taken.append(1) or real())
    sparring.bound(module, region, method)
    assert len(taken) == graded
    with torch.no_grad():
        sparring.bound(module, region, method)
    assert len(taken) == graded + 1
    with torch.inference_mode():
        assert sparring.bound(module, region, method)[0].is_inference()
    assert len(taken) == graded + 2


def test_weights_that_change_in_place_are_seen():
    module, region = seeded(lambda: chain([4, 20, 2], nn.ReLU), 0, torch.float64), boxes(2, 4, torch.float64)
    before, _ = both(module, region, None, "ibp")
    with torch.no_grad():
        module[0].weight.mul_(1.5)
        module[2].bias.add_(1.0)
    after, general = both(module, region, None, "ibp")
    near(after, general, torch.float64)
    assert not torch.allclose(before[0], after[0])
    module[2].weight.data = module[2].weight.data.T.contiguous().T
    near(*both(module, region, None, "ibp"), torch.float64)
    graph = graph_of(module, region.center)
    module.float()  # in place: the graph is the same, and not for these weights
    with torch.no_grad():
        assert bounds(graph, region, None, "ibp", "adaptive") is None


def test_inputs_and_specifications_need_not_be_contiguous():
    module = seeded(lambda: chain([4, 7, 2], nn.ReLU), 0, torch.float64)
    wide = boxes(3, 8, torch.float64).center
    spec = torch.randn(2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).T
    for center in (wide[:, ::2], wide.T[:4].T, wide[:1, :4].expand(3, 4)):
        near(*both(module, Region(center, 0.1), spec, "crown"), torch.float64)


def test_an_empty_batch_and_other_regions_go_the_general_way():
    module = seeded(lambda: chain([4, 7, 2], nn.ReLU), 0, torch.float64)
    graph = graph_of(module, torch.zeros(1, 4, dtype=torch.float64))
    with torch.no_grad():
        for region in (boxes(0, 4, torch.float64), Region(torch.zeros(1, 4, dtype=torch.float64), 0.1, norm="2")):
            assert bounds(graph, region, None, "ibp", "adaptive") is None
    with torch.enable_grad():
        assert bounds(graph, boxes(1, 4, torch.float64), None, "ibp", "adaptive") is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Sequential(nn.Linear(4, 7), nn.GELU(), nn.Linear(7, 2)),
        lambda: nn.Sequential(nn.Linear(4, 7), nn.ReLU(), nn.Tanh(), nn.Linear(7, 2)),
        lambda: nn.Sequential(nn.Linear(4, 7), nn.LayerNorm(7), nn.ReLU(), nn.Linear(7, 2)),
        lambda: nn.Sequential(nn.ReLU(), nn.Linear(4, 2)),
        lambda: nn.Sequential(nn.Unflatten(1, (2, 2)), nn.Linear(2, 3), nn.Flatten()),
    ],
    ids=["other curve", "curve on a curve", "product", "curve on the input", "two dimensions"],
)
def test_what_has_no_program_goes_the_general_way(make):
    module, region = seeded(make, 0, torch.float64), boxes(2, 4, torch.float64)
    with torch.no_grad():
        assert bounds(graph_of(module, region.center), region, None, "ibp", "adaptive") is None
        assert bool((sparring.bound(module, region, "crown-ibp")[0] < module(region.center)).all())


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("inner", ["ibp", "crown"])
def test_what_is_no_number_never_becomes_one(bad, curve, inner):
    for layer in (0, 2, 4):
        module, region = seeded(lambda: chain([3, 5, 4, 2], curve), 1, torch.float64), boxes(2, 3, torch.float64)
        with torch.no_grad():
            module[layer].weight[0, 0] = bad
            # No coefficient of zero stands in the way of what is no number.
            for later in module[2::2]:
                later.weight.abs_()
            found = bounds(graph_of(module, region.center), region, None, inner, "adaptive")
            general = Propagation(graph_of(module, region.center), region, inner).bounds(None)
        assert found is not None
        for ours, wanted in zip(found, general, strict=True):
            assert torch.equal(ours.isfinite(), wanted.isfinite())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_of_s_curves_are_right_to_the_last_digits(dtype):
    from numba import njit

    from sparring_plugins.propagation.kernels import s_values

    @njit
    def values(points, tanhs, sigmoids, one):
        s_values.tanhs(points, tanhs, one)
        s_values.sigmoids(points, sigmoids, one)

    scale = torch.logspace(-30, 2.4, 20_000, dtype=torch.float64)
    points = torch.cat([-scale, torch.tensor([0.0, math.inf, -math.inf]), scale]).to(dtype)
    found = torch.empty(2, len(points), dtype=dtype)
    values(points.numpy(), found[0].numpy(), found[1].numpy(), points.numpy().dtype.type(1))
    for ours, curve in zip(found, (Tanh(), Sigmoid()), strict=True):
        exact = curve.value(points.double())
        ulps = {torch.float32: 0.75, torch.float64: 4.0}[dtype] * torch.finfo(dtype).eps
        assert bool(((ours.double() - exact).abs() <= exact.abs() * ulps + torch.finfo(dtype).tiny).all())
    nothing = np.full(3, math.nan, found.numpy().dtype)
    values(nothing, nothing, nothing.copy(), nothing.dtype.type(1))
    assert np.isnan(nothing).all()


@pytest.mark.parametrize(
    ("terminal", "seconds", "words"), [(True, 0.0, "sparring: at work\n"), (True, 9.0, ""), (False, 0.0, "")]
)
def test_long_compilations_are_told_on_terminals(monkeypatch, capsys, terminal, seconds, words):
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal, raising=False)
    with patience("at work", seconds):
        time.sleep(0.05)
    assert capsys.readouterr().err == words
