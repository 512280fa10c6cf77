"""Each node of bound graphs against the matrix that it stands for, and planes against the function between them."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("torch", reason="bounds need torch")

import torch
from torch import Tensor

from operation_networks import NETWORKS
from sparring_plugins.propagation.affine import Linear, Scale
from sparring_plugins.propagation.curves import Exp, Rsqrt, Softplus, Sqrt, Square
from sparring_plugins.propagation.graph import Graph
from sparring_plugins.propagation.kept_graphs import graph_of
from sparring_plugins.propagation.log_sums import LogSum
from sparring_plugins.propagation.maxima import Maximum
from sparring_plugins.propagation.nodes import Affine, Interval, Planar
from sparring_plugins.propagation.products import Product
from sparring_plugins.propagation.reductions import Reduced
from sparring_plugins.propagation.rounding import gamma


def graph(network) -> Graph:
    return graph_of(
        network.module(torch.float64), torch.randn(1, *network.shape, dtype=torch.float64) + 2 * network.shift
    )


def matrices(node: Affine, entries: list[tuple[int, ...]]) -> list[Tensor]:
    """What the node does to each input, [elements, elements of the input], by automatic differentiation."""
    starts = tuple(torch.zeros(1, *entry, dtype=torch.float64) for entry in entries)
    found = torch.autograd.functional.jacobian(node.value, starts)
    return [part.reshape(math.prod(node.shape), -1) for part in found]


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_affine_nodes_are_their_matrix(network):
    draw = torch.Generator().manual_seed(3)
    nodes = graph(network).nodes
    for node in nodes:
        if not isinstance(node, Affine):
            continue
        entries = [nodes[place].shape for place in node.inputs]
        parts, place = matrices(node, entries), f"{type(node).__name__} at {node.name}"
        count = math.prod(node.shape)
        rows = torch.randn(4, *node.shape, generator=draw, dtype=torch.float64)
        for matrix, moved, entry in zip(parts, node.adjoint(rows), entries, strict=True):
            if moved is None:
                assert not matrix.any(), place
            else:
                assert moved.shape == (4, *entry), place
                assert torch.allclose(moved.flatten(1), rows.flatten(1) @ matrix, rtol=0, atol=1e-12), place
        radii = [torch.rand(2, *entry, generator=draw, dtype=torch.float64) for entry in entries]
        wide = sum(radius.flatten(1) @ matrix.abs().T for radius, matrix in zip(radii, parts, strict=True))
        assert torch.allclose(node.spread(*radii).reshape(2, count), wide, rtol=0, atol=1e-12), place
        bias, start = node.bias(), node.value(*(torch.zeros(1, *entry, dtype=torch.float64) for entry in entries))
        known = torch.zeros(node.shape, dtype=torch.float64) if bias is None else bias.expand(node.shape)
        assert torch.allclose(start[0], known, rtol=0, atol=1e-12), place
        assert_sums_are_counted(node, parts, place)


def assert_sums_are_counted(node: Affine, parts: list[Tensor], place: str) -> None:
    """`terms` is 0 only where each output is one input and each input goes to one output, unchanged."""
    down = max(int((matrix != 0).sum(1).max()) for matrix in parts)
    along = max(int((matrix != 0).sum(0).max()) for matrix in parts)
    if node.terms == 0:
        assert down <= 1, place
        assert along <= 1, place
        assert all(bool(((matrix == 0) | (matrix == 1)).all()) for matrix in parts), place
    else:
        assert node.terms >= max(down, along), place


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_intervals_of_nodes_hold_their_values(network):
    draw = torch.Generator().manual_seed(4)
    found = graph(network)
    for dtype in (torch.float64,):
        center = torch.randn(1, *network.shape, generator=draw, dtype=dtype) + network.shift
        low, high = center - 0.3, center + 0.3
        points = low + (high - low) * torch.rand(64, *network.shape, generator=draw, dtype=dtype)
        intervals, values = [Interval(low, high)], [points]
        for node in found.nodes[1:]:
            intervals.append(node.interval(*(intervals[place] for place in node.inputs)))
            values.append(node.value(*(values[place] for place in node.inputs)))
            assert bool((intervals[-1].low <= values[-1]).all()), node.name
            assert bool((values[-1] <= intervals[-1].high).all()), node.name


def boxes(draw: torch.Generator, dtype: torch.dtype) -> list[Interval]:
    """Boxes of two inputs: apart, overlapping, touching, points, of very different sizes."""
    scale = 10.0 ** torch.randint(-6, 7, (2, 1, 4000), generator=draw).to(dtype)
    low = torch.randn(2, 1, 4000, generator=draw, dtype=dtype) * scale
    wide = torch.rand(2, 1, 4000, generator=draw, dtype=dtype) * scale.flip(0)
    wide = wide * (torch.rand(2, 1, 4000, generator=draw) > 0.2)
    low[1, :, :500] = (low + wide)[0, :, :500]
    low[:, :, 500:700] = 0
    wide[:, :, 700:800] = 0
    low[1, :, 800:900], wide[1, :, 800:900] = low[0, :, 800:900], wide[0, :, 800:900]
    return [Interval(low[side], low[side] + wide[side]) for side in (0, 1)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(("kind", "other"), [(Product, False), (Product, True), (Maximum, False)])
def test_planes_lie_on_their_sides(kind: type[Planar], other, dtype):
    """Exactly, for the slopes and intercepts as they stand: in rationals at the corners, where the extremes are."""
    from fractions import Fraction

    draw = torch.Generator().manual_seed(5)
    node = kind("", (0, 1), (4000,))
    sources = boxes(draw, dtype)
    planes, spots = (node.other_planes if other else node.planes)(*sources), range(0, 4000, 7)
    assert planes is not None
    for x, y in ((sources[0][a][0], sources[1][b][0]) for a in (0, 1) for b in (0, 1)):
        for spot in spots:
            first, second = Fraction(float(x[spot])), Fraction(float(y[spot]))
            value = first * second if kind is Product else max(first, second)
            below, above = (
                sum(
                    (Fraction(float(slope[0, spot])) * at for slope, at in zip(slopes, (first, second), strict=True)),
                    Fraction(float(intercept[0, spot])),
                )
                for slopes, intercept in (
                    (planes.lower, planes.lower_intercept),
                    (planes.upper, planes.upper_intercept),
                )
            )
            assert below <= value <= above, (spot, float(below - value), float(above - value))


def test_planes_of_a_maximum_are_exact_where_one_input_dominates():
    low, high = torch.tensor([[0.0, 3.0]]), torch.tensor([[1.0, 4.0]])
    planes = Maximum("", (0, 1), (2,)).planes(Interval(low, high), Interval(low.flip(1) - 1, high.flip(1) - 1))
    assert [part.tolist() for part in planes.upper] == [[[0.0, 1.0]], [[1.0, 0.0]]]
    assert [part.tolist() for part in planes.lower] == [[[0.0, 1.0]], [[1.0, 0.0]]]
    assert planes.upper_intercept.tolist() == planes.lower_intercept.tolist() == [[0.0, 0.0]]


def test_the_planes_of_a_product_are_those_that_vary_least():
    draw = torch.Generator().manual_seed(6)
    low, wide = torch.randn(2, 2, 1, 1000, generator=draw, dtype=torch.float64).unbind()
    sources = [Interval(side, side + width.abs()) for side, width in zip(low, wide, strict=True)]
    node = Product("", (0, 1), (1000,))
    chosen, other = node.planes(*sources), node.other_planes(*sources)
    for mine, left in ((chosen.lower, other.lower), (chosen.upper, other.upper)):
        variation, more = (
            sum(slope.abs() * (box.high - box.low) for slope, box in zip(slopes, sources, strict=True))
            for slopes in (mine, left)
        )
        assert bool((variation <= more + 0.1 * wide.abs().prod(0)).all())  # what the second factor's lean is cut by
    alike = (low > 0).all(0) | (low + wide.abs() < 0).all(0)
    assert bool((chosen.lower[1] == chosen.upper[1])[alike].all())


def test_planes_of_a_product_touch_it_in_three_corners():
    draw = torch.Generator().manual_seed(6)
    low = torch.randn(2, 1, 100, generator=draw, dtype=torch.float64)
    sources = [Interval(side, side + 1) for side in low]
    planes = Product("", (0, 1), (100,)).planes(*sources)
    corners = [(sources[0][a], sources[1][b]) for a in (0, 1) for b in (0, 1)]
    for slopes, intercept in ((planes.lower, planes.lower_intercept), (planes.upper, planes.upper_intercept)):
        gaps = torch.stack([x * y - slopes[0] * x - slopes[1] * y - intercept for x, y in corners])
        assert bool(((gaps.abs() < 100 * gamma(1, torch.float64)).sum(0) == 3).all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_planes_of_a_sum_of_exponentials_lie_on_their_sides(dtype):
    """At the corners above, since it is convex, and in the middle, where the lower plane touches, below."""
    import itertools
    from decimal import Decimal, localcontext

    draw = torch.Generator().manual_seed(7)
    count, spots = 3, 120
    size = 10.0 ** torch.randint(-3, 3, (count, 1, spots), generator=draw).to(dtype)
    low = torch.randn(count, 1, spots, generator=draw, dtype=dtype) * size
    wide = torch.rand(count, 1, spots, generator=draw, dtype=dtype) * size.flip(0)
    wide[:, :, ::9] = 0
    wide[0, :, ::5] = 0
    high = low + wide
    sources = [Interval(*ends) for ends in zip(low, high, strict=True)]
    node = LogSum("", tuple(range(count)), (spots,))
    planes, image = node.planes(*sources), node.interval(*sources)
    with localcontext(prec=50):
        for spot in range(spots):
            ends = [[Decimal(float(end[place, 0, spot])) for end in (low, high)] for place in range(count)]
            for point in [*itertools.product(*ends), [sum(pair) / 2 for pair in ends]]:
                value = sum(one.exp() for one in point).ln()
                below, above = (
                    sum(Decimal(float(slope[0, spot])) * one for slope, one in zip(slopes, point, strict=True))
                    + Decimal(float(intercept[0, spot]))
                    for slopes, intercept in (
                        (planes.lower, planes.lower_intercept),
                        (planes.upper, planes.upper_intercept),
                    )
                )
                assert below <= value <= above
                assert Decimal(float(image.low[0, spot])) <= value <= Decimal(float(image.high[0, spot]))
                far = max(abs(one) for one in point) + 1
                if spot % 9 == 0:  # the box is a point
                    assert float(above - below) <= 1e3 * torch.finfo(dtype).eps * float(far)


@pytest.mark.parametrize("way", [Linear.interval_and_error, Affine.interval_and_error])
@pytest.mark.parametrize("turned", [False, True])
def test_the_error_of_a_layer_holds_the_worst_order_of_its_sums(way, turned):
    """Each of so many terms is rounded up by almost half a spacing: once in the victim's sum, once in a coefficient."""
    count, one = 500, np.float32(1)
    line = np.full(count, np.finfo(np.float32).eps / 2 * (1 + 2**-10), np.float32)
    line[0] = one
    added = one
    for term in line[1:]:
        added += term
    missed = abs(float(added) - math.fsum(line.tolist()))
    assert missed > 0.99 * count * np.finfo(np.float32).eps / 2
    weight = torch.from_numpy(line[:, None] if turned else line[None])
    node = Linear("", (0,), (weight.shape[0],), lambda: weight, None)
    point = torch.ones(1, weight.shape[1])
    box, error = way(node, Interval(point, point))
    # Of a row of ones: each output's own rounding, or that of the only coefficient.
    assert float(error.double().sum()) >= missed
    if not turned:
        assert float(box.low) < math.fsum(line.tolist()) < float(added) <= float(box.high)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_small_layers_have_the_box_and_error_of_any_affine_map(dtype):
    draw = torch.Generator().manual_seed(1)
    low, reach, weight, bias = (
        torch.randn(*shape, generator=draw, dtype=dtype) for shape in ((4, 30), (4, 30), (20, 30), (20,))
    )
    node = Linear("", (0,), (20,), lambda: weight, lambda: bias)
    node.parts = 5
    given = Interval(low, low + reach.abs())
    (box, error), (wanted, wide) = Linear.interval_and_error(node, given), Affine.interval_and_error(node, given)
    share = 4 * gamma(40, dtype)
    assert torch.allclose(error, wide, rtol=share, atol=0)
    for side, other in zip(box, wanted, strict=True):
        assert torch.allclose(side, other, rtol=share, atol=share)


@pytest.mark.parametrize("mean", [False, True])
@pytest.mark.parametrize("signs", [1, -1, 0])
def test_boxes_of_sums_hold_what_any_order_of_summation_gives(mean, signs):
    """The ends of boxes from zero on are the sums of their ends, which err by a share of themselves."""
    count = 3000
    node = Reduced("", 0, (1,), (count,), (1,), True, mean)
    draw = torch.Generator().manual_seed(0)
    values = torch.randn(40, count, generator=draw)
    values = values.abs() * signs if signs else values
    low, high = values.clamp(max=0), values.clamp(min=0)
    for box in (Interval(values, values), Interval(low, high)):
        found, error = node.interval_and_error(box)
        assert all(map(torch.equal, found, node.interval(box)))
        for point in box:
            exact = point.double().sum(1, keepdim=True) / (count if mean else 1)
            for terms in (point, point.flip(1), point.sort(1).values, point.sort(1, descending=True).values):
                total = terms.cumsum(1)[:, -1:] / (count if mean else 1)  # one after the other
                assert ((found.low <= total) & (total <= found.high)).all()
                assert ((total.double() - exact).abs() <= error).all()
    assert (node.interval(Interval(low.abs(), high.abs())).low >= 0).all()


def test_boxes_of_scaled_values_err_by_a_share_of_each_end():
    factor, shift = torch.tensor([3.0, 0.1, 0.0]), torch.tensor([1e-6, -0.7, 0.3])
    node = Scale("", (0,), (3,), (3,), lambda: factor, lambda: shift)
    values = torch.randn(2000, 3, generator=torch.Generator().manual_seed(0))
    wide = Interval(torch.zeros_like(values), values.abs() * 1e3)
    for box in (Interval(values, values), wide):
        found, error = node.interval_and_error(box)
        assert all(map(torch.equal, found, node.interval(box)))
        for point in box:
            exact = point.double() * factor.double() + shift.double()
            for result in (point * factor + shift, torch.addcmul(shift, point, factor)):
                assert ((found.low <= result) & (result <= found.high)).all()
                assert ((result.double() - exact).abs() <= error).all()
                nearby = torch.stack([torch.nextafter(result, torch.tensor(far)) for far in (-math.inf, math.inf)])
                assert ((found.low <= nearby) & (nearby <= found.high)).all()
    assert (node.interval(wide).low[:, 0] > 0.99e-6).all()


@pytest.mark.parametrize("kind", [Square, Exp, Sqrt, Rsqrt, Softplus])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_boxes_of_curves_that_are_never_negative_leave_room_at_both_ends_and_keep_their_sign(kind, dtype):
    """What torch gives may be one or two spacings beside the true value."""
    curve, points = kind(), torch.linspace(0.01, 5, 1000, dtype=dtype)
    far = points.new_tensor(math.inf)
    for low, high in ((points, points), (points.new_full((1000,), 1e-3), points)):
        below, above = curve.box(low, high)
        ends = curve.image(low, high)
        for _ in range(2):
            ends = torch.nextafter(ends[0], -far), torch.nextafter(ends[1], far)
        assert (below <= ends[0]).all()
        assert (above >= ends[1]).all()
        assert (below >= 0).all()
    if kind in (Exp, Softplus):
        assert (curve.box(points - 40, points)[0] >= 0).all()
    if kind is not Softplus:  # of which errors are no share of the least value
        assert (curve.box(points, points * 1e3)[0] >= curve.image(points, points * 1e3)[0] * (1 - 1e-6)).all()
