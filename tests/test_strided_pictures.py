"""Strided convolutions by shuffled registers: pictures put together, and programs of any kernel, stride and padding."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="bounds need torch")

import torch
from torch import nn

from sparring import Region
from sparring_plugins.propagation.interleaved import _together, together
from sparring_plugins.propagation.kept_graphs import graph_of
from sparring_plugins.propagation.programs import bounds
from sparring_plugins.propagation.propagation import Propagation


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("step", range(1, 6))
@pytest.mark.parametrize("broad", [1, 2, 5, 8, 11, 16, 21])
def test_pictures_are_those_of_torch(step, broad, dtype):
    split = torch.rand(2, 3 * step * step, 4, broad, dtype=dtype)
    for before, sides in (
        ((0, 0), (4 * step, broad * step)),
        ((0, 0), (3 * step + 1, max(1, broad * step - 1))),
        ((1, min(2, broad * step - 1)), (4 * step + 1, broad * step + 3)),
        ((step - 1, step - 1), (3 * step, max(1, (broad - 1) * step))),
    ):
        found = together(split, step, before, sides)
        assert torch.equal(found, _together(split, step, before, sides))
        assert found.shape == (2, 3, *sides)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"),
    [(3, 1, 1), (4, 2, 1), ((5, 3), (3, 2), (2, 0)), (8, 4, 0), (7, 4, 3), (6, 5, 2), ((2, 4), (1, 3), (1, 2))],
)
def test_programs_of_convolutions_have_the_bounds_of_the_general_way(kernel, stride, padding, dtype):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        body = nn.Sequential(
            nn.Conv2d(2, 3, kernel, stride, padding), nn.ReLU(), nn.Conv2d(3, 2, 2, 2, 1), nn.Flatten()
        )
        count = body(torch.zeros(1, 2, 19, 23)).shape[1]
        module = nn.Sequential(*body, nn.ReLU(), nn.Linear(count, 3)).to(dtype).eval()
        region = Region(torch.rand(5, 2, 19, 23, dtype=dtype), 0.05)
    graph = graph_of(module, region.center)
    loose = {torch.float32: 2e-5, torch.float64: 1e-13}[dtype]
    with torch.no_grad():
        found = bounds(graph, region, None, "ibp", "adaptive")
        assert found is not None
        for ours, general in zip(found, Propagation(graph, region, "ibp").bounds(None), strict=True):
            assert torch.allclose(ours, general, rtol=loose, atol=loose)
