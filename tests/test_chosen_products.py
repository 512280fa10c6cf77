"""Rows go on to those units alone that a ReLU lets through, where these are few enough."""

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
from sparring_plugins.propagation.kernels.alive import EIGHT, alive
from sparring_plugins.propagation.kernels.compiling import view_of
from sparring_plugins.propagation.kernels.dots import chosen_product, pays
from sparring_plugins.propagation.kernels.tables import LANES
from sparring_plugins.propagation.programs import MANY, bounds
from sparring_plugins.propagation.propagation import Propagation

LOOSE = {torch.float32: 5e-4, torch.float64: 1e-12}
"""Where there are many samples, errors of rounding come from norms."""


@njit
def written(rows, matrix, out, count, depth, chosen, some, steps, apart, size, one):
    lines = carray(view_of(chosen, np.int64(0)), (some,))
    chosen_product(rows, matrix, out, count, depth, lines, steps, apart, size, one)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_products_with_chosen_lines_are_right_and_touch_nothing_else(kind):
    rng, item = np.random.default_rng(0), np.dtype(kind).itemsize
    for count in (*range(2, 18, 2), 24, 32):
        depth, lines = int(rng.integers(1, 70)), int(rng.integers(1, 20))
        wide = -(-depth * item // LANES) * LANES // item
        rows, matrix = rng.normal(size=(count, wide)).astype(kind), rng.normal(size=(lines, wide)).astype(kind)
        matrix[:, depth:] = 0
        out = np.full((count, lines + 3), np.nan, kind)
        chosen = np.flatnonzero(rng.random(lines) < rng.choice([0.0, 0.5, 1.0]))
        written(
            rows.ctypes.data, matrix.ctypes.data, out.ctypes.data, count, depth, chosen.ctypes.data, chosen.size,
            (wide, lines + 3), wide, item, kind(1),
        )  # fmt: skip
        exact, sizes = rows.astype(float) @ matrix.astype(float).T, np.abs(rows).astype(float) @ np.abs(matrix).T
        error = depth * float(np.finfo(kind).eps) * sizes
        assert (np.abs(out[:, chosen] - exact[:, chosen]) <= error[:, chosen]).all()
        assert np.isnan(np.delete(out, chosen, axis=1)).all()


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


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sizes", [(3, 150, 135, 2), (2, 97, 260, 70, 5)])
@pytest.mark.parametrize("slope", ["adaptive", "same"])
def test_bounds_are_those_of_the_general_way_where_most_units_are_dead(sizes, dtype, slope, monkeypatch):
    monkeypatch.setattr(Backward, "_is_shared", lambda *given: False)
    monkeypatch.setattr(propagation, "FEW", 2.0)
    torch.manual_seed(len(sizes))
    layers = [layer for pair in itertools.pairwise(sizes) for layer in (nn.Linear(*pair), nn.ReLU())][:-1]
    module = nn.Sequential(*layers).to(dtype)
    with torch.no_grad():
        layers[0].bias -= 0.6 * layers[0].weight.abs().sum(1).mean()
    region = Region(torch.randn(MANY + 5, sizes[0], dtype=dtype), 0.02)
    dead = (layers[0](region.center) + 0.02 * layers[0].weight.abs().sum(1) <= 0).sum(1)
    lanes = LANES // dtype.itemsize
    assert all(pays.py_func(sizes[1] - int(count), sizes[1], sizes[2], lanes) for count in dead)
    with torch.no_grad():
        graph = graph_of(module, region.center)
        found, wanted = bounds(graph, region, None, "ibp", slope), Propagation(graph, region, "ibp", slope).bounds(None)
        assert found is not None
        assert (found[0].std(0) > 0.001).all()
        for ours, general in zip(found, wanted, strict=True):
            assert torch.allclose(ours, general, rtol=0, atol=LOOSE[dtype])
        inside = region.center + 0.02 * (2 * torch.rand(50, *region.center.shape, dtype=dtype) - 1)
        values = module(inside)
    assert (found[0] <= values).all()
    assert (values <= found[1]).all()
