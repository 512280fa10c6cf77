"""CROWN-IBP of runs of layers as one operation of autograd, against the way of any graph and by differences."""

from __future__ import annotations

import itertools

import pytest

pytest.importorskip("torch", reason="bounds need torch")

import torch
from torch import nn
from torch.autograd import gradcheck

import sparring
from run_networks import drawn, made
from sparring import Region
from sparring_plugins.propagation import packing, programs, trained_boxes, trained_rows
from sparring_plugins.propagation.kept_graphs import graph_of
from sparring_plugins.propagation.kernels.calling import plainly
from sparring_plugins.propagation.propagation import Propagation
from sparring_plugins.propagation.trained_rows import backward_bounds

WAYS = {"later": (1 << 40, 12), "kept": (0, 12), "blocks": (0, 2)}
"""Gradients find what they need later; it is kept; it is kept for batches in blocks of two."""


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    few, block = WAYS[request.param]
    monkeypatch.setattr(trained_rows, "FEW", few)
    monkeypatch.setattr(packing, "BLOCK", block)


REGIONS = {
    "ball": lambda center, radius: Region(center, 0.3),
    "radii": lambda center, radius: Region(center.requires_grad_(), radius.requires_grad_()),
    "clipped": lambda center, radius: Region(center.requires_grad_(), radius.requires_grad_(), low=-0.9, high=1.2),
    "corners": lambda center, radius: Region.box(center.requires_grad_(), center + radius.requires_grad_()),
}


@pytest.mark.parametrize("curve", [nn.ReLU, nn.Tanh, nn.Sigmoid])
@pytest.mark.parametrize("choice", ["adaptive", "same"])
@pytest.mark.parametrize("region", REGIONS)
def test_bounds_and_gradients_are_those_of_any_graph(curve, choice, region, way):
    module, found = made(curve), []
    for ours in (True, False):
        center, radius = drawn(5, 4), drawn(5, 4, seed=1).abs() * 0.3
        where, graph = REGIONS[region](center, radius), graph_of(module, center)
        bounds = (
            backward_bounds(graph, where, None, choice)
            if ours
            else Propagation(graph, where, "ibp", choice).bounds(None)
        )
        assert bounds is not None
        low, high = bounds
        wanted = [part for part in (center, radius, *module.parameters()) if part.requires_grad]
        found.append([low, high, *torch.autograd.grad((high.square() - low).sum(), wanted)])
    for mine, theirs in zip(*found, strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("curve", [nn.ReLU, nn.Tanh, nn.Sigmoid])
@pytest.mark.parametrize("frozen", [(), (0, 3), (2,)])
def test_gradients_agree_with_differences(curve, frozen, way):
    module = made(curve)
    for place in frozen:
        list(module.parameters())[place].requires_grad_(False)
    free = [part for part in module.parameters() if part.requires_grad]

    def bounds(center, *_):
        return backward_bounds(graph_of(module, center), Region(center, 0.3), None, "adaptive")

    assert gradcheck(bounds, (drawn(3, 4).requires_grad_(), *free))


@pytest.mark.parametrize("shape", [(2, 3), (5, 2, 3), (5, 4, 3)])
@pytest.mark.parametrize("biased", [True, False])
def test_specifications_have_their_gradients(shape, biased, way):
    module, found = made(nn.ReLU), []
    if not biased:
        module[4].bias = None
    for ours in (True, False):
        center, spec = drawn(5, 4).requires_grad_(), drawn(*shape, seed=2).requires_grad_()
        where, graph = Region(center, 0.3), graph_of(module, center)
        others = Propagation(graph, where, "ibp")
        bounds = backward_bounds(graph, where, spec, "adaptive") if ours else others.bounds(spec)
        assert bounds is not None
        low, high = bounds
        slopes = torch.autograd.grad((high.square() - low).sum(), [center, spec, *module.parameters()])
        found.append([low, high, *slopes])
    for mine, theirs in zip(*found, strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("curve", [nn.ReLU, nn.Tanh])
@pytest.mark.parametrize(("dtype", "close"), [(torch.float64, 1e-9), (torch.float32, 2e-3)])
@pytest.mark.parametrize("sizes", [[300, 40, 70, 3], [3, 40, 17, 30]])
def test_wide_layers_many_rows_and_several_blocks(sizes, dtype, close, curve):
    """More inputs than are summed in one precision, sums taken either way round, and blocks of twelve or two."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        layers = [nn.Linear(*pair) for pair in itertools.pairwise(sizes)]
    module, found = nn.Sequential(layers[0], curve(), layers[1], curve(), layers[2]).to(dtype), []
    spec = None if sizes[-1] == 3 else drawn(30, 25, 30, seed=2).to(dtype)
    for ours in (True, False):
        center = drawn(30, sizes[0]).to(dtype).requires_grad_()
        where, graph = Region(center, 0.02), graph_of(module, center)
        others = Propagation(graph, where, "ibp")
        bounds = backward_bounds(graph, where, spec, "adaptive") if ours else others.bounds(spec)
        assert bounds is not None
        low, high = bounds
        found.append([low, high, *torch.autograd.grad((high.square() - low).mean(), [center, *module.parameters()])])
    for mine, theirs in zip(*found, strict=True):
        assert torch.allclose(mine, theirs, rtol=close, atol=close * float(theirs.detach().abs().max()))


def test_a_layer_that_comes_twice_gets_both_gradients(way):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        layer, last = nn.Linear(4, 4), nn.Linear(4, 3)
        module = nn.Sequential(layer, nn.ReLU(), layer, nn.ReLU(), last).double()
    region = Region(drawn(5, 4), 0.2)
    graph = graph_of(module, region.center)
    found = [backward_bounds(graph, region, None, "adaptive"), Propagation(graph, region, "ibp").bounds(None)]
    slopes = [torch.autograd.grad((high - low.square()).sum(), list(module.parameters())) for low, high in found]
    assert all(torch.allclose(ours, theirs) for ours, theirs in zip(*slopes, strict=True))


def test_gradients_can_be_asked_for_twice(way):
    module = made(nn.ReLU)
    low, high = sparring.bound(module, Region(drawn(5, 4), 0.2), "crown-ibp")
    total, weights = (high - low).sum(), list(module.parameters())
    first, second = (torch.autograd.grad(total, weights, retain_graph=True) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
    again = torch.autograd.grad(total, weights, create_graph=True)
    assert all(torch.allclose(one, other, rtol=1e-12) for one, other in zip(first, again, strict=True))


@pytest.mark.parametrize("curve", [nn.ReLU, nn.Tanh])
@pytest.mark.parametrize("rows", [None, (2, 3), (3, 2, 3)])
def test_gradients_have_the_gradients_that_those_of_any_graph_have(curve, rows, way):
    module, found = made(curve), []
    for ours in (True, False):
        center, radius = drawn(3, 4).requires_grad_(), (drawn(3, 4, seed=1).abs() * 0.3).requires_grad_()
        spec = None if rows is None else drawn(*rows, seed=2).requires_grad_()
        inputs = (center, radius, *module.parameters(), *(() if spec is None else (spec,)))
        where, graph = Region(center, radius), graph_of(module, center)
        if ours:
            low, high = sparring.bound(module, where, "crown-ibp", spec)
        else:
            with plainly():
                low, high = Propagation(graph, where, "ibp").bounds(spec)
        slopes = torch.autograd.grad((high - low.square()).sum(), inputs, create_graph=True)
        total = sum(slope.square().sum() for slope in slopes)
        found.append([*slopes, *torch.autograd.grad(total, inputs, materialize_grads=True)])
    assert all(torch.allclose(one, other, rtol=1e-9, atol=1e-12) for one, other in zip(*found, strict=True))
    assert all((slope != 0).any() for slope in found[0][: len(inputs) + 4])  # the last bias only moves the bounds


@pytest.mark.parametrize("batch", [2, 5])
def test_gradients_of_gradients_are_those_of_finite_differences(batch, way):
    module = made(nn.Tanh)

    def bounds(center, weight):
        with torch.nn.utils.stateless._reparametrize_module(module, {"0.weight": weight}):
            return sparring.bound(module, Region(center, 0.2), "crown-ibp")

    weight = module[0].weight.detach().clone().requires_grad_()
    assert torch.autograd.gradgradcheck(bounds, (drawn(batch, 4).requires_grad_(), weight), atol=1e-4)


@pytest.mark.parametrize("curve", [nn.ReLU, nn.Tanh])
@pytest.mark.parametrize("method", ["crown", "alpha-crown(steps=1)"])
def test_gradients_without_gradients_say_so(curve, method):
    """Those of compiled loops; they were zero, or lacked a part, for whoever asked for them by name."""
    module, center = made(curve), drawn(3, 4).requires_grad_()
    low, high = sparring.bound(module, Region(center, 0.2), method)
    for given in ((high - low).sum(), (high - low).square().sum()):
        slope = torch.autograd.grad(given, center, create_graph=True)[0]
        with pytest.raises(RuntimeError, match="no gradients themselves"):
            torch.autograd.grad(slope.square().sum(), center, retain_graph=True)


@pytest.mark.parametrize("changed", ["weight", "centre"])
def test_what_has_changed_since_is_not_gone_back_through(changed, way):
    module, center = made(nn.ReLU), drawn(5, 4)
    low, _ = sparring.bound(module, Region(center, 0.1), "crown-ibp")
    with torch.no_grad():
        (module[2].weight if changed == "weight" else center).add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        low.sum().backward()


@pytest.mark.parametrize("method", ["ibp", "crown-ibp"])
@pytest.mark.parametrize("data", [torch.ones(3, 2), torch.ones(3, 6)])
def test_weights_of_other_sizes_or_types_are_not_gone_back_through(method, data, way):
    module = made(nn.ReLU)
    low, _ = sparring.bound(module, Region(drawn(5, 4), 0.1), method)
    module[4].weight.data = data
    with pytest.raises(RuntimeError, match=r"was \[3, 6\] of torch.float64 when it was bounded"):
        low.sum().backward()


@pytest.mark.parametrize("method", ["ibp", "crown-ibp"])
@pytest.mark.parametrize("data", [torch.ones(9, 4), torch.ones(5, 4)])
def test_centres_of_other_shapes_or_types_are_not_gone_back_through(method, data, way):
    module, center = made(nn.ReLU), drawn(5, 4)
    low, _ = sparring.bound(module, Region(center, 0.1), method)
    center.data = data
    with pytest.raises(RuntimeError, match="the centre of a region has another shape or type"):
        low.sum().backward()


@pytest.mark.parametrize("curve", [nn.ReLU, nn.Tanh, nn.Sigmoid])
def test_a_number_that_is_none_comes_through(curve, way):
    module = made(curve)
    with torch.no_grad():
        module[0].bias[2] = float("nan")
    with pytest.raises(sparring.RequestError, match=r"0\.bias holds NaN"):
        sparring.bound(module, Region(drawn(5, 4), 0.1), "crown-ibp")


@pytest.mark.parametrize("curve", [nn.ReLU, nn.Tanh, nn.Sigmoid])
@pytest.mark.parametrize("large", [1.0, 1e4])
def test_bounds_hold_what_single_precision_computes(curve, large, way):
    module, draw = made(curve).float(), torch.Generator().manual_seed(2)
    center = drawn(5, 4).float() * large
    for radius in (0.0, 0.05 * large):
        low, high = sparring.bound(module, Region(center, radius), "crown-ibp")
        for _ in range(50):
            moved = center + (torch.rand(5, 4, generator=draw) * 2 - 1) * radius
            value = module(torch.minimum(torch.maximum(moved, center - radius), center + radius))
            assert bool(((low <= value) & (value <= high)).all())


@pytest.mark.parametrize("method", ["ibp", "crown-ibp"])
def test_weights_that_were_lent_for_one_call_get_the_gradients(method, way, monkeypatch):
    monkeypatch.setattr(trained_boxes, "FEW", 1 << 40)
    module, region = made(nn.Tanh), Region(drawn(5, 4), 0.2)
    lent = {name: (weight.detach() * 1.5).requires_grad_() for name, weight in module.named_parameters()}

    class Bounded(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = module

        def forward(self):
            low, high = sparring.bound(self.inner, region, method)
            return (high - low).sum()

    total = torch.func.functional_call(Bounded(), {f"inner.{name}": weight for name, weight in lent.items()}, ())
    found = torch.autograd.grad(total, list(lent.values()))
    with torch.no_grad():
        for weight, other in zip(module.parameters(), lent.values(), strict=True):
            weight.copy_(other)
    low, high = sparring.bound(module, region, method)
    wanted = torch.autograd.grad((high - low).sum(), list(module.parameters()))
    assert all(torch.allclose(ours, theirs) for ours, theirs in zip(found, wanted, strict=True))


@pytest.mark.parametrize("curve", [nn.ReLU, nn.Tanh, nn.Sigmoid])
@pytest.mark.parametrize("method", ["ibp", "crown-ibp"])
def test_bits_are_the_same_with_gradients_and_without(curve, method, monkeypatch):
    if method == "ibp":
        monkeypatch.setattr(programs, "program_of", lambda *given: None)  # which take their sums in another order
    module, region = made(curve).float(), Region(drawn(40, 4).float(), 0.2)
    graded = sparring.bound(module, region, method)
    with torch.no_grad():
        plain = sparring.bound(module, region, method)
    assert all(torch.equal(one, other) for one, other in zip(graded, plain, strict=True))


def test_what_is_no_run_goes_another_way():
    module, inputs = made(nn.ReLU), drawn(5, 4)
    graph = graph_of(module, inputs)
    assert backward_bounds(graph, Region(inputs, 0.1, "2"), None, "adaptive") is None
    with torch.no_grad():
        assert backward_bounds(graph, Region(inputs, 0.1), None, "adaptive") is None
    wide = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 6)).double()
    assert backward_bounds(graph_of(wide, inputs), Region(inputs, 0.1), None, "adaptive") is None
