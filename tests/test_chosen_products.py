"""Products of tiles; rows go on to those units alone that a ReLU lets through, where these are few enough."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="bounds need torch")

import itertools

import numpy as np
import torch
from numba import carray, njit
from torch import nn

from sparring import Region
from sparring_plugins.propagation import propagation
from sparring_plugins.propagation.backward import Backward
from sparring_plugins.propagation.kept_graphs import graph_of
from sparring_plugins.propagation.kernels import tables
from sparring_plugins.propagation.kernels.alive import EIGHT, alive
from sparring_plugins.propagation.kernels.chosen_lines import through_chosen
from sparring_plugins.propagation.kernels.compiling import view_of
from sparring_plugins.propagation.kernels.dots import chosen_product, pays, turned_product
from sparring_plugins.propagation.kernels.tables import LANES, MORE
from sparring_plugins.propagation.kernels.tiles import product, register
from sparring_plugins.propagation.packing import program_of
from sparring_plugins.propagation.programs import MANY, bounds
from sparring_plugins.propagation.propagation import Propagation

LOOSE = {torch.float32: 5e-4, torch.float64: 1e-12}
"""Where there are many samples, errors of rounding come from norms."""


@njit
def multiplied(rows, matrix, out, count, depth, columns, places, steps, wide, size, absolute, fresh, one):
    product(rows, matrix, out, count, depth, columns, places, steps, wide, size, absolute, fresh, one)


def near(found, exact, sizes, terms):
    return (np.abs(found - exact) <= terms * float(np.finfo(found.dtype).eps) * sizes).all()


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize(("absolute", "fresh"), [*itertools.product([False, True], repeat=2)])
def test_products_of_tiles_are_right_for_all_heights(kind, absolute, fresh):
    rng, item = np.random.default_rng(0), np.dtype(kind).itemsize
    lanes = register() // item
    for count, width in itertools.product(range(1, 27), (1, 2, 3)):
        depth, columns = int(rng.integers(1, 9)), width * lanes
        rows, matrix = rng.normal(size=(depth, count)).astype(kind), rng.normal(size=(20, columns)).astype(kind)
        lines, out = rng.permutation(20)[:depth], rng.normal(size=(count + 1, columns)).astype(kind)
        before, places = out.copy(), lines * columns
        multiplied(
            rows.ctypes.data, matrix.ctypes.data, out.ctypes.data, count, depth, columns, places.ctypes.data,
            (1, columns, count), register(), item, absolute, fresh, kind(1),
        )  # fmt: skip
        factors, taken = rows.T.astype(float), matrix[lines].astype(float)
        start = np.zeros((count, columns)) if fresh else before[:count].astype(float)
        exact = start + factors @ (np.abs(taken) if absolute else taken)
        assert near(out[:count], exact, np.abs(start) + np.abs(factors) @ np.abs(taken), depth + 1)
        assert (out[count] == before[count]).all()


@njit
def written(rows, matrix, out, count, depth, chosen, some, steps, apart, size, turned, one):
    lines = carray(view_of(chosen, np.int64(0)), (some,))
    if turned:
        turned_product(rows, matrix, out, count, depth, lines, steps, apart, size, one)
    else:
        chosen_product(rows, matrix, out, count, depth, lines, steps, apart, size, one)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("turned", [False, True])
def test_products_with_chosen_lines_are_right_and_touch_nothing_else(kind, turned):
    rng, item = np.random.default_rng(0), np.dtype(kind).itemsize
    for count in (*range(2, 18, 2), 24, 32):
        depth, lines = int(rng.integers(1, 70)), int(rng.integers(1, 20))
        wide = -(-depth * item // LANES) * LANES // item
        rows, matrix = rng.normal(size=(count, wide)).astype(kind), rng.normal(size=(lines, wide)).astype(kind)
        matrix[:, depth:] = 0
        chosen = np.flatnonzero(rng.random(lines) < rng.choice([0.0, 0.5, 1.0]))
        out = np.full((len(chosen) + 1, count + 3) if turned else (count, lines + 3), np.nan, kind)
        written(
            rows.ctypes.data, matrix.ctypes.data, out.ctypes.data, count, depth, chosen.ctypes.data, chosen.size,
            (wide, out.shape[1]), wide, item, turned, kind(1),
        )  # fmt: skip
        exact = (rows.astype(float) @ matrix.astype(float).T)[:, chosen]
        sizes = (np.abs(rows).astype(float) @ np.abs(matrix).T)[:, chosen]
        if turned:
            assert near(out[: len(chosen), :count].T, exact, sizes, depth)
            assert np.isnan(out[: len(chosen), count:]).all()
            assert np.isnan(out[len(chosen)]).all()
        else:
            assert near(out[:, chosen], exact, sizes, depth)
            assert np.isnan(np.delete(out, chosen, axis=1)).all()


@njit
def moved_on(rows, chosen, some, count, lines, columns, more, found, lanes, size, one):
    through_chosen(rows, chosen, some, count, lines, columns, more, found, lanes, size, one)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("more", range(MORE + 1))
def test_rows_at_chosen_units_go_through_the_lines_there(kind, more):
    rng, item = np.random.default_rng(2), np.dtype(kind).itemsize
    lanes = register() // item
    for some, width in ((1, 1), (7, 2), (40, 3)):
        units, count = 50, width * lanes
        rows, chosen = rng.normal(size=(some, count)).astype(kind), np.sort(rng.permutation(units)[:some])
        rows[rng.random(rows.shape) < 0.1] = 0
        lines, columns = rng.normal(size=(5, units)).astype(kind), rng.normal(size=(MORE, units)).astype(kind)
        found, given = np.full((1 + more, count), np.nan, kind), rows.copy()
        addresses = [tuple(line.ctypes.data for line in table) for table in (lines, columns)]
        moved_on(
            rows.ctypes.data, chosen.ctypes.data, some, count, *addresses, more, found.ctypes.data, lanes,
            item, kind(1),
        )  # fmt: skip
        lower, low_shift, upper, high_shift, bias = lines[:, chosen, None]
        positive = given > 0
        assert (rows == given * np.where(positive, lower, upper)).all()
        shifts = given * np.where(positive, low_shift, high_shift).astype(float)
        terms = [shifts, rows * bias.astype(float)]
        assert near(found[0], sum(terms).sum(0), sum(np.abs(part) for part in terms).sum(0), some + 1)
        for column, values in zip(columns[:more, chosen, None], found[1:], strict=True):
            assert near(values, (rows * column.astype(float)).sum(0), np.abs(rows * column).sum(0), some)


@njit
def found_alive(low, high, count, found, size, one):
    return alive(low, high, count, found, size, one)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_units_that_a_relu_may_let_through_are_found(kind):
    """Those whose ends are no numbers are among them."""
    rng = np.random.default_rng(1)
    for count in (*range(1, 26), 64, 257):
        low, high = np.full((2, count + EIGHT), 1.0, kind)  # what lies behind would count
        low[:count], high[:count] = np.sort(rng.choice([-np.inf, -1.0, -0.0, 0.0, 1e-30, np.inf], (2, count)), axis=0)
        low[:count][rng.random(count) < 0.1] = np.nan
        high[:count][rng.random(count) < 0.1] = np.nan
        found = np.full(count + EIGHT + 1, -7)
        some = found_alive(
            low.ctypes.data, high.ctypes.data, count, found.ctypes.data, np.dtype(kind).itemsize, kind(1)
        )
        wanted = np.flatnonzero(~((high[:count] <= 0) & (low[:count] > -np.inf)))
        assert found[:some].tolist() == wanted.tolist()
        assert found[-1] == -7


def bounds_of_both(module, region, slope, monkeypatch):
    """By a program and by the general way, which hold what samples give."""
    monkeypatch.setattr(Backward, "_is_shared", lambda *given: False)
    monkeypatch.setattr(propagation, "FEW", 2.0)
    with torch.no_grad():
        graph = graph_of(module, region.center)
        found, wanted = bounds(graph, region, None, "ibp", slope), Propagation(graph, region, "ibp", slope).bounds(None)
        assert found is not None
        inside = region.center + region.radius * (2 * torch.rand(50, *region.center.shape).to(region.center) - 1)
        values = module(inside.flatten(0, 1)).view(50, len(region.center), -1)
    assert (found[0] <= values).all()
    assert (values <= found[1]).all()
    return found, wanted, program_of(graph, region.center.dtype, True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sizes", [(3, 150, 135, 2), (2, 97, 260, 70, 5), (17, 130, 140, 4), (40, 90, 120, 30)])
@pytest.mark.parametrize("slope", ["adaptive", "same"])
def test_bounds_are_those_of_the_general_way_where_most_units_are_dead(sizes, dtype, slope, monkeypatch):
    """The first layer has no column, two and one beyond full registers; the last sizes take two turns of rows."""
    torch.manual_seed(len(sizes))
    layers = [layer for pair in itertools.pairwise(sizes) for layer in (nn.Linear(*pair), nn.ReLU())][:-1]
    module = nn.Sequential(*layers).to(dtype)
    with torch.no_grad():
        layers[0].bias -= layers[0].weight.norm(dim=1).mean()
    region = Region(torch.randn(MANY + 5, sizes[0], dtype=dtype), 0.02)
    dead = (layers[0](region.center) + 0.02 * layers[0].weight.abs().sum(1) <= 0).sum(1)
    lanes = LANES // dtype.itemsize
    assert all(pays.py_func(sizes[1] - int(count), sizes[1], sizes[2], lanes) for count in dead)
    found, wanted, program = bounds_of_both(module, region, slope, monkeypatch)
    assert (program.table[2:-2:2, tables.CHOSEN] > 0).all()
    assert (found[0].std(0) > 0.001).all()
    for ours, general in zip(found, wanted, strict=True):
        assert torch.allclose(ours, general, rtol=0, atol=LOOSE[dtype])


class Beside(nn.Module):
    """Two layers and, before or after them, one that takes the input as well; or two that share a ReLU."""

    def __init__(self, how):
        super().__init__()
        self.how = how
        self.first, self.second, self.other = nn.Linear(17, 150), nn.Linear(150, 40), nn.Linear(17, 40)
        self.third = nn.Linear(150, 40)
        self.last = nn.Linear(40, 3)

    def forward(self, x):
        if self.how == "before":
            found = self.other(x) + self.second(self.first(x).relu())
        elif self.how == "after":
            found = self.second(self.first(x).relu()) + self.other(x)
        else:
            shared = self.first(x).relu()
            found = self.second(shared) - self.third(shared)
        return self.last(found.relu())


@pytest.mark.parametrize("how", ["before", "after", "shared"])
@pytest.mark.parametrize("lowered", [0.6, 60.0])
def test_rows_of_chosen_units_are_added_to_what_stands_at_the_input(how, lowered, monkeypatch):
    """And none go on by themselves where others come to the same ReLU, or where it lets nothing through."""
    torch.manual_seed(7)
    module = Beside(how)
    with torch.no_grad():
        module.first.bias -= lowered * module.first.weight.abs().sum(1).mean()
    region = Region(torch.randn(MANY + 5, 17), 0.02)
    assert (module.first(region.center).max() < -1) == (lowered > 1)
    found, wanted, program = bounds_of_both(module, region, "adaptive", monkeypatch)
    chosen = program.table[program.table[:, tables.KIND] == tables.RELU, tables.CHOSEN]
    assert (chosen[0] > 0) == (how != "shared")
    for ours, general in zip(found, wanted, strict=True):
        assert torch.allclose(ours, general, rtol=0, atol=LOOSE[torch.float32])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rounding_above_chosen_units_is_not_lost(dtype):
    """At a radius of 0 it is all that bounds are wide; a program takes it from norms."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(17, 150), nn.ReLU(), nn.Linear(150, 120)).to(dtype)
    with torch.no_grad():
        module[0].bias -= module[0].weight.norm(dim=1).mean()
        region, rows = Region(torch.randn(MANY + 5, 17, dtype=dtype), 0.0), torch.randn(4, 120, dtype=dtype)
        graph = graph_of(module, region.center)
        low, high = bounds(graph, region, rows, "ibp", "adaptive")
        least, most = Propagation(graph, region, "ibp", "adaptive").bounds(rows)
    assert (high - low > most - least).all()
    assert (high - low < 5 * (most - least)).all()
