"""Layer normalisation and the logarithm of softmax: how tight their bounds are."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("torch", reason="bounds need torch")

import numpy as np
import torch
from torch import Tensor, nn

import sparring
from sparring import RefusedError, Region

METHODS = ("ibp", "crown-ibp", "crown", "forward")
ORDERS = ("before", "between", "behind", "last")
RADII = (0.005, 0.05, 0.2)
CENTER = torch.tensor(np.random.default_rng(3).normal(size=(3, 8)))


class Block(nn.Module):
    """A residual block with layer normalisation at one of four places."""

    def __init__(self, order: str) -> None:
        super().__init__()
        self.norm, self.first, self.second = nn.LayerNorm(16), nn.Linear(16, 16), nn.Linear(16, 16)
        self.order = order

    def forward(self, x: Tensor) -> Tensor:
        if self.order == "before":
            return x + self.second(torch.relu(self.first(self.norm(x))))
        if self.order == "between":
            return x + self.second(torch.relu(self.norm(self.first(x))))
        if self.order == "behind":
            return x + self.norm(self.second(torch.relu(self.first(x))))
        return self.norm(x + self.second(torch.relu(self.first(x))))


def network(order: str) -> nn.Module:
    module = nn.Sequential(nn.Linear(8, 16), Block(order), nn.Linear(16, 4)).double().eval()
    draw = np.random.default_rng(7)
    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, nn.Linear):
                reach = 1 / math.sqrt(part.in_features)
                part.weight.copy_(torch.tensor(draw.uniform(-reach, reach, tuple(part.weight.shape))))
                part.bias.copy_(torch.tensor(draw.uniform(-reach, reach, tuple(part.bias.shape))))
    return module


THEIRS = {
    ("before", 0.005): (0.37821, 0.010452, 0.00783, 0.0088971),
    ("before", 0.05): (3.8982, 0.34101, 0.086314, 0.21497),
    ("before", 0.2): (23.529, 3.5764, 0.60762, 4.0022),
    ("between", 0.005): (0.56613, 0.016902, 0.00848, 0.0088197),
    ("between", 0.05): (10.152, 1.5179, 0.091555, 0.13052),
    ("between", 0.2): (1339.0, 327.06, 0.53379, 1.5479),
    ("behind", 0.005): (0.81048, 0.070969, 0.009283, 0.0093305),
    ("behind", 0.05): (35.864, 22.812, 0.10179, 0.11966),
    ("behind", 0.2): (1520.4, 949.25, 0.62552, 1.5516),
    ("last", 0.005): (0.46453, 0.034431, 0.011186, 0.011369),
    ("last", 0.05): (7.0398, 3.3655, 0.14639, 0.17274),
    ("last", 0.2): (2184.7, 1427.9, 1.4153, 2.3206),
}
"""Mean widths of auto_LiRPA 0.7.1 in double precision, to five digits, by place and radius: in the order of methods."""


@pytest.mark.parametrize("order", ORDERS)
def test_bounds_are_no_looser_than_those_of_another_implementation(order):
    """Which takes the variance, its root and the reciprocal of that one by one."""
    module = network(order)
    for radius in RADII:
        for method, theirs in zip(METHODS, THEIRS[order, radius], strict=True):
            lower, upper = sparring.bound(module, Region(CENTER, radius), method)
            assert (upper - lower).mean() <= 1.0001 * theirs, (radius, method)


@pytest.mark.parametrize(("norm", "limit"), [(nn.LayerNorm, math.sqrt(15)), (nn.RMSNorm, 4.0)])
def test_where_what_is_divided_by_may_vanish_bounds_stay_finite(norm, limit):
    """Nobody is further than `sqrt(n - 1)` standard deviations from the mean, and `sqrt(n)` of these from zero."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(8, 16), norm(16), nn.Linear(16, 4)).double()
    last = module[2]
    most = limit * last.weight.abs().sum(1)
    for method in METHODS:
        lower, upper = sparring.bound(module, Region(CENTER, 3.0), method)
        assert ((upper - lower) <= 5 * most).all(), method


@pytest.mark.parametrize("norm", [nn.LayerNorm, nn.RMSNorm])
def test_what_overflows_is_unknown_and_says_where(norm):
    module = nn.Sequential(nn.Linear(8, 4), norm(4))
    with torch.no_grad():
        module[0].weight.fill_(3e38)
    with pytest.raises(RefusedError, match=r"^unknown: at '1' rsqrt on \[nan, nan\]: .*; a smaller region may do$"):
        sparring.bound(module, Region(CENTER.float(), 1.0), "crown")


class Written(nn.Module):
    """A linear layer, and its outputs over their root mean square."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 6)

    def forward(self, x: Tensor) -> Tensor:
        found = self.layer(x)
        return found * torch.rsqrt(found.square().mean(1, keepdim=True) + 1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_where_lines_go_below_zero_a_root_takes_what_boxes_know(method):
    """The lines below squares do in a wide region, and the root of a negative number is unknown."""
    torch.manual_seed(0)
    written = Written().double()
    lower, upper = sparring.bound(written, Region(CENTER, 1.0), method)
    values = written(CENTER + 2 * torch.rand(100, *CENTER.shape).double() - 1)
    assert ((lower <= values) & (values <= upper)).all()


FORMS = {
    "rsqrt": lambda x: x * torch.rsqrt(x.pow(2).mean(1, keepdim=True) + 1e-6),
    "sqrt": lambda x: x / torch.sqrt((x * x).sum(1, keepdim=True) / 6 + 1e-5),
    "norm": lambda x: x / (x.norm(dim=1, keepdim=True) + 1e-5),
    "largest": lambda x: x / (x.norm(p=math.inf, dim=1, keepdim=True) + 1e-5),
    "variance": lambda x: (x - x.mean(1, keepdim=True)) / (x.var(1, keepdim=True) + 1e-5).sqrt(),
    "deviation": lambda x: (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + 1e-5),
    "softmax": lambda x: torch.exp(8 * x) / torch.exp(8 * x).sum(1, keepdim=True),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_has_a_sign_keeps_it_in_boxes_whatever_is_rounded(form, method, dtype):
    """All of it may vanish in so wide a region, and what it is divided by is bounded by what is added alone."""

    class Divided(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 6)

        def forward(self, x: Tensor) -> Tensor:
            return FORMS[form](self.layer(x))

    torch.manual_seed(0)
    module, center = Divided().to(dtype), CENTER.to(dtype)
    lower, upper = sparring.bound(module, Region(center, 2.0), method)
    values = module((center + 4 * torch.rand(200, *center.shape).to(dtype) - 2).flatten(0, 1)).view(200, 3, 6)
    assert ((lower <= values) & (values <= upper)).all()


@pytest.mark.parametrize("p", [1.0, 2.0, math.inf])
@pytest.mark.parametrize("method", METHODS)
def test_no_element_of_a_unit_vector_is_beyond_one(p, method):
    class Unit(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.normalize(x, p)

    torch.manual_seed(0)
    for dtype, room in ((torch.float32, 1e-4), (torch.float64, 1e-12)):
        module = nn.Sequential(nn.Linear(8, 6), Unit()).to(dtype)
        lower, upper = sparring.bound(module, Region(CENTER.to(dtype), 3.0), "ibp")
        assert (lower >= -1 - room).all()
        assert (upper <= 1 + room).all()
        lower, upper = sparring.bound(module, Region(CENTER.to(dtype), 1e-3), method)
        assert (upper - lower < 0.1).all()


@pytest.mark.parametrize("method", METHODS)
def test_normalisation_by_size_is_bounded_as_its_formula(method):
    torch.manual_seed(0)
    written = Written().double()
    module = nn.Sequential(written.layer, nn.RMSNorm(6, eps=1e-3, elementwise_affine=False))
    for one, other in zip(
        *(sparring.bound(part, Region(CENTER, 0.05), method) for part in (module, written)), strict=True
    ):
        assert torch.allclose(one, other, rtol=0, atol=1e-10)


@pytest.mark.parametrize("shape", [(6,), (3, 4)])
def test_in_differences_of_log_softmax_the_sum_cancels(shape):
    class Shares(nn.Module):
        def __init__(self, count: int) -> None:
            super().__init__()
            self.layer = nn.Linear(8, count)

        def forward(self, x: Tensor) -> Tensor:
            return torch.log_softmax(torch.tanh(self.layer(x)).unflatten(1, shape), -1).flatten(1)

    torch.manual_seed(0)
    shares = Shares(math.prod(shape)).double()
    logits = nn.Sequential(shares.layer, nn.Tanh())
    spec = torch.zeros(2, math.prod(shape), dtype=torch.float64)
    spec[:, 0], spec[0, 1], spec[1, shape[-1] - 1] = 1, -1, -1
    for radius in (0.1, 1.0):
        ours, plain = (sparring.bound(module, Region(CENTER, radius), "crown", spec) for module in (shares, logits))
        for one, other in zip(ours, plain, strict=True):
            assert torch.allclose(one, other, rtol=0, atol=1e-11)
