"""alpha-CROWN against the best of all slopes, which a linear programme finds where the network has one curve."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="bounds need torch")

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linprog
from torch import Tensor, nn

import sparring
from sparring import Region
from sparring_plugins.propagation.curves import ELU, GELU, Curve, LeakyReLU, ReLU, Softplus

CURVES: dict[str, tuple[nn.Module, Curve]] = {
    "relu": (nn.ReLU(), ReLU()),
    "leaky": (nn.LeakyReLU(0.1), LeakyReLU(0.1)),
    "concave": (nn.LeakyReLU(1.5), LeakyReLU(1.5)),
    "folded": (nn.LeakyReLU(-0.7), LeakyReLU(-0.7)),
    "elu": (nn.ELU(), ELU()),
    "softplus": (nn.Softplus(5.0), Softplus(5.0)),
    "gelu": (nn.GELU(), GELU()),
}
RADIUS = {"1": 1.0, "inf": 0.4}
FEATURES, UNITS, OUTPUTS = 5, 24, 2


def policy(curve: nn.Module) -> nn.Sequential:
    torch.manual_seed(5)
    module = nn.Sequential(nn.Linear(FEATURES, UNITS), curve, nn.Linear(UNITS, OUTPUTS)).double()
    return module.requires_grad_(False)


def optimum(curve: Curve, module: nn.Sequential, center: Tensor, norm: str, row: int) -> float:
    """Greatest lower bound of an output that any slopes give: variables are the input's parts and each unit's value."""
    weight, middle = module[0].weight, module[0](center)
    reach = RADIUS[norm] * (weight.abs().amax(1) if norm == "1" else weight.abs().sum(1))
    alphas = torch.linspace(0, 1, 161, dtype=torch.float64)[:, None].expand(2, -1, UNITS)
    lines = curve.free_lines(middle - reach, middle + reach, alphas)
    share = module[2].weight[row]
    side = torch.where(share >= 0, 1.0, -1.0)
    slopes = torch.where(share >= 0, lines.lower_slope, lines.upper_slope) * side
    heights = torch.where(share >= 0, lines.lower_intercept, lines.upper_intercept) * side + slopes * middle
    through = slopes[..., None] * weight
    below = torch.cat([through, -through, -torch.diag(side).expand(len(slopes), -1, -1)], 2).flatten(0, 1)
    limits, most = below.numpy(), -heights.flatten().numpy()
    if norm == "1":
        limits = np.vstack([limits, np.repeat([1.0, 0.0], [2 * FEATURES, UNITS])])
        most = np.append(most, RADIUS[norm])
    cost: NDArray[np.float64] = np.append(np.zeros(2 * FEATURES), share)
    free = [(0, None if norm == "1" else RADIUS[norm])] * (2 * FEATURES) + [(None, None)] * UNITS
    found = linprog(cost, limits, most, bounds=free)
    assert found.success
    return float(found.fun + module[2].bias[row])


@pytest.mark.parametrize("norm", RADIUS)
@pytest.mark.parametrize("name", CURVES)
@torch.no_grad()
def test_slopes_come_near_the_best_there_are(name, norm):
    module = policy(CURVES[name][0])
    centers = torch.randn(4, FEATURES, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    best = torch.tensor(
        [[optimum(CURVES[name][1], module, center, norm, row) for row in range(OUTPUTS)] for center in centers]
    )
    plain, quick, patient = (
        sparring.bound(module, Region(centers, RADIUS[norm], norm=norm), method)[0]
        for method in ("crown", "alpha-crown", "alpha-crown(steps=300,tolerance=0)")
    )
    assert (patient <= best + 1e-3 * (best - plain).mean()).all()
    assert (best - quick).sum() <= 0.025 * (best - plain).sum()
    assert (best - patient).sum() <= 0.002 * (best - plain).sum()


@torch.no_grad()
def test_a_state_has_the_same_bounds_in_any_company():
    torch.manual_seed(7)
    module = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 16), nn.ELU(), nn.Linear(16, 3)).double()
    centers = torch.randn(6, 5, dtype=torch.float64)
    together = sparring.bound(module, Region(centers, 0.3, norm="1"), "alpha-crown")
    alone = [sparring.bound(module, Region(center[None], 0.3, norm="1"), "alpha-crown") for center in centers]
    for side in (0, 1):
        assert torch.allclose(together[side], torch.cat([bounds[side] for bounds in alone]), rtol=0, atol=1e-9)
