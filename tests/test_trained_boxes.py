"""Interval bounds of runs of layers as one operation of autograd, against the way of any graph and by differences."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="bounds need torch")

import torch
from torch import nn
from torch.autograd import gradcheck, gradgradcheck

import sparring
from run_networks import drawn, made
from sparring import Region
from sparring_plugins.propagation import trained_boxes
from sparring_plugins.propagation.boxes import Boxes
from sparring_plugins.propagation.kept_graphs import graph_of
from sparring_plugins.propagation.runs import run_of
from sparring_plugins.propagation.trained_boxes import interval_bounds

SIZES = {"later": (1 << 40, 1 << 17), "kept": (0, 1 << 17), "pieces": (0, 12)}
"""Gradients find what they need later; it is kept; it is kept for batches in pieces of two."""


@pytest.fixture(params=SIZES)
def way(request, monkeypatch):
    """Each way on networks that are small enough to be checked."""
    few, cached = SIZES[request.param]
    monkeypatch.setattr(trained_boxes, "FEW", few)
    monkeypatch.setattr(trained_boxes, "CACHED", cached)
    return request.param


REGIONS = {
    "ball": lambda center, radius: Region(center, 0.1),
    "centres": lambda center, radius: Region(center.requires_grad_(), 0.1),
    "radii": lambda center, radius: Region(center.requires_grad_(), radius.requires_grad_()),
    "clipped": lambda center, radius: Region(center.requires_grad_(), radius.requires_grad_(), low=-0.9, high=1.2),
    "corners": lambda center, radius: Region.box(center.requires_grad_(), center + radius.requires_grad_()),
}


@pytest.mark.parametrize("curve", [nn.ReLU, nn.Tanh, nn.Sigmoid])
@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("region", REGIONS)
def test_boxes_and_gradients_are_those_of_any_graph(curve, ended, region, way):
    module = made(curve, ended)
    found = []
    for ours in (True, False):
        center, radius = drawn(5, 4), drawn(5, 4, seed=1).abs() * 0.1
        where = REGIONS[region](center, radius)
        graph = graph_of(module, center)
        low, high = interval_bounds(graph, where, None) if ours else Boxes(graph, where).bounds(None)
        wanted = [part for part in (center, radius, *module.parameters()) if part.requires_grad]
        found.append([low, high, *torch.autograd.grad((high.square() - low).sum(), wanted)])
    for mine, theirs in zip(*found, strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-9, atol=1e-11)


def weighed(curve, frozen=()):
    """A function of the corners and parameters of a network, and where to begin."""
    module, radius = made(curve), 0.1
    for place in frozen:
        list(module.parameters())[place].requires_grad_(False)
    free = [part for part in module.parameters() if part.requires_grad]

    def bounds(center, *_):
        return interval_bounds(graph_of(module, center), Region(center, radius), None)

    return bounds, (drawn(3, 4).requires_grad_(), *free)


@pytest.mark.parametrize("curve", [nn.ReLU, nn.Tanh, nn.Sigmoid])
@pytest.mark.parametrize("frozen", [(), (0, 3), (2,)])
def test_gradients_agree_with_differences(curve, frozen, way):
    bounds, at = weighed(curve, frozen)
    assert gradcheck(bounds, at)


@pytest.mark.parametrize("curve", [nn.ReLU, nn.Tanh])
def test_gradients_have_gradients(curve, way):
    bounds, at = weighed(curve)
    assert gradgradcheck(bounds, at)


def test_a_second_gradient_does_not_count_a_weight_twice(way):
    # The region's centre depends on a weight of the network itself.
    module, at = made(nn.Tanh), drawn(3, 4)

    def penalty(bounds):
        weight = module[0].weight
        center = at * weight.sum(0)
        low, high = bounds(graph_of(module, center), Region(center, 0.1))
        (slope,) = torch.autograd.grad((high - low).sum(), weight, create_graph=True)
        return torch.autograd.grad(slope.square().sum(), weight)[0]

    ours = penalty(lambda graph, region: interval_bounds(graph, region, None))
    assert torch.allclose(ours, penalty(lambda graph, region: Boxes(graph, region).bounds(None)), rtol=1e-9)


def test_bounds_made_side_by_side_keep_their_own_and_can_be_gone_back_through_again(way):
    module = made(nn.Tanh)
    graph = graph_of(module, drawn(5, 4))
    weights = list(module.parameters())

    def width(seed, bounds=interval_bounds):
        low, high = bounds(graph, Region(drawn(5, 4, seed=seed), 0.1), None)
        return (high - low.square()).sum()

    first, second = width(1), width(2)
    twice = [torch.autograd.grad(first, weights, retain_graph=True), torch.autograd.grad(first, weights)]
    other = torch.autograd.grad(second, weights)
    for seed, found in ((1, twice[0]), (1, twice[1]), (2, other)):
        wanted = torch.autograd.grad(width(seed, lambda *given: Boxes(*given[:2]).bounds(None)), weights)
        assert all(torch.allclose(ours, theirs, rtol=1e-9) for ours, theirs in zip(found, wanted, strict=True))


def test_no_states_have_gradients_of_zero(way):
    module = made(nn.ReLU)
    low, high = interval_bounds(graph_of(module, drawn(5, 4)), Region(drawn(0, 4), 0.1), None)
    assert low.shape == (0, 3)
    (high - low).sum().backward()
    assert all(bool((part.grad == 0).all()) for part in module.parameters())


class Shared(nn.Module):
    """A layer that comes twice."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4).double()

    def forward(self, x):
        return self.layer(torch.tanh(self.layer(x)))


def test_a_layer_that_comes_twice_gets_both_gradients(way):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        module = Shared()
    region = Region(drawn(5, 4), 0.1)
    graph = graph_of(module, region.center)
    assert run_of(graph, shortened=False) is not None
    found = [interval_bounds(graph, region, None), Boxes(graph, region).bounds(None)]
    slopes = [torch.autograd.grad((high - low.square()).sum(), list(module.parameters())) for low, high in found]
    assert all(torch.allclose(ours, theirs) for ours, theirs in zip(*slopes, strict=True))


@pytest.mark.parametrize("spec", [drawn(2, 3), drawn(5, 2, 3)])
@pytest.mark.parametrize("ended", [False, True])
def test_specifications_have_their_gradients(spec, ended, way):
    module, region = made(nn.ReLU, ended), Region(drawn(5, 4), 0.1)
    graph = graph_of(module, region.center)
    found = [interval_bounds(graph, region, spec), Boxes(graph, region).bounds(spec)]
    assert all(torch.allclose(ours, theirs, rtol=1e-9) for ours, theirs in zip(*found, strict=True))
    slopes = [torch.autograd.grad((high - low.square()).sum(), list(module.parameters())) for low, high in found]
    assert all(torch.allclose(ours, theirs, rtol=1e-9) for ours, theirs in zip(*slopes, strict=True))


@pytest.mark.parametrize("changed", ["weight", "centre"])
def test_what_has_changed_since_is_not_gone_back_through(changed, way):
    module, center = made(nn.ReLU), drawn(5, 4)
    low, _ = sparring.bound(module, Region(center, 0.1), "ibp")
    with torch.no_grad():
        (module[2].weight if changed == "weight" else center).add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        low.sum().backward()


@pytest.mark.parametrize("graded", [True, False])
@pytest.mark.parametrize("curve", [nn.ReLU, nn.Tanh, nn.Sigmoid])
def test_a_number_that_is_none_comes_through(curve, graded, way):
    module = made(curve)
    with torch.no_grad():
        module[0].bias[2] = float("nan")
    with torch.set_grad_enabled(graded), pytest.raises(sparring.RequestError, match=r"0\.bias holds NaN"):
        sparring.bound(module, Region(drawn(5, 4), 0.1), "ibp")


@pytest.mark.parametrize("curve", [nn.ReLU, nn.Tanh, nn.Sigmoid])
@pytest.mark.parametrize("large", [1.0, 1e4])
def test_bounds_hold_what_single_precision_computes(curve, large, way):
    module = made(curve).float()
    center = drawn(5, 4).float() * large
    draw = torch.Generator().manual_seed(2)
    for radius in (0.0, 0.05 * large):
        for graded in (True, False):
            with torch.set_grad_enabled(graded):
                low, high = sparring.bound(module, Region(center, radius), "ibp")
            for _ in range(50):
                moved = center + (torch.rand(5, 4, generator=draw) * 2 - 1) * radius
                value = module(torch.minimum(torch.maximum(moved, center - radius), center + radius))
                assert bool(((low <= value) & (value <= high)).all())
