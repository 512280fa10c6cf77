"""Interval bounds with both ends in one tensor: each way to compute them against exact arithmetic and derivatives."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest

pytest.importorskip("torch", reason="bounds need torch")

import torch
from torch import Tensor, nn

import sparring
from sparring import Region
from sparring_plugins.propagation import dense, linear_ends, middles, small_boxes
from sparring_plugins.propagation.curves import LeakyReLU, ReLU, Sigmoid, Tanh
from sparring_plugins.propagation.ends import Ends
from sparring_plugins.propagation.linear_ends import LinearEnds
from sparring_plugins.propagation.rounding import share_of


def exact(weight: Tensor, point: list[Fraction], shift: Fraction) -> Fraction:
    return sum((Fraction(float(w)) * x for w, x in zip(weight, point, strict=True)), shift)


def boxes(dtype: torch.dtype, entries: int) -> Tensor:
    """Narrow and wide ones, near zero and far from it, and points."""
    draw = torch.Generator().manual_seed(3)
    scale = 10.0 ** torch.randint(-5, 4, (6, entries), generator=draw).to(dtype)
    ends = torch.randn(6, entries, generator=draw, dtype=dtype) * scale
    width = torch.rand(6, entries, generator=draw, dtype=dtype) * 10.0 ** torch.randint(-8, 2, (6, 1), generator=draw)
    width[-1] = 0
    return torch.stack((ends, ends + width))


@pytest.mark.parametrize("kernel", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("entries", [3, 40])
def test_a_linear_layer_holds_all_that_any_order_of_summation_gives(monkeypatch, kernel, dtype, entries):
    """The exact extremes, further out by the victim's own worst error, in rationals; and not by much more."""
    monkeypatch.setattr(small_boxes, "SMALL", small_boxes.SMALL if kernel else -1)
    draw = torch.Generator().manual_seed(4)
    both = boxes(dtype, entries)
    weight = torch.randn(5, entries, generator=draw, dtype=dtype)
    bias = torch.randn(5, generator=draw, dtype=dtype) * 100
    loose, off = 4 * torch.finfo(dtype).eps, 3 * torch.finfo(dtype).eps
    share = share_of(entries + 1, dtype, loose)
    assert linear_ends.small(both, None, weight, bias) is kernel
    found = linear_ends.linear_ends(both, None, weight, bias, share, off)
    unit = Fraction(torch.finfo(dtype).eps) / 2
    victim = (entries + 1) * unit / (1 - (entries + 1) * unit)
    for sample in range(6):
        low = [Fraction(float(x)) for x in both[0, sample]]
        high = [Fraction(float(x)) for x in both[1, sample]]
        low = [x - Fraction(loose) * abs(x) - Fraction(off) for x in low]
        high = [x + Fraction(loose) * abs(x) + Fraction(off) for x in high]
        for row in range(5):
            picked = [(a, b) if w > 0 else (b, a) for a, b, w in zip(low, high, weight[row], strict=True)]
            shift = Fraction(float(bias[row]))
            size = exact(weight[row].abs(), [max(abs(a), abs(b)) for a, b in picked], abs(shift))
            least = exact(weight[row], [a for a, _ in picked], shift)
            most = exact(weight[row], [b for _, b in picked], shift)
            below, above = Fraction(float(found[0, sample, row])), Fraction(float(found[1, sample, row]))
            assert below <= least - victim * size
            assert above >= most + victim * size
            assert (above - below) - (most - least) <= 2 * (4 * victim + 40 * unit) * size


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("curve", [ReLU(), Tanh(), Sigmoid(), LeakyReLU(0.1)], ids=lambda curve: type(curve).__name__)
@pytest.mark.parametrize("count", [64, 70000])
def test_curves_at_ends_hold_what_torch_computes(curve, dtype, count):
    """A point between the ends may be one of them: the values there, by torch's own operation, lie between."""
    x = torch.cat([torch.linspace(-20, 20, count // 2), 10.0 ** torch.linspace(-30, 1, count // 2)]).to(dtype)
    found = curve.at_ends(torch.stack((x, x))).tight().both
    wanted = curve.value(x)
    assert bool((found[0] <= wanted).all())
    assert bool((wanted <= found[1]).all())
    eps = torch.finfo(dtype).eps
    assert float((found[1] - found[0] - 40 * eps * wanted.abs()).max()) <= 20 * eps


def test_curves_that_fall_have_no_ends():
    assert LeakyReLU(-0.1).at_ends(torch.zeros(2, 1)) is None


@pytest.mark.parametrize("bias", [True, False])
def test_derivatives_of_a_linear_layer(bias):
    """Twice, by differences; allowances for rounding, which have none, are far below them."""
    draw = torch.Generator().manual_seed(5)
    low = torch.randn(4, 3, generator=draw, dtype=torch.float64)
    both = torch.stack((low, low + 0.1 + torch.rand(4, 3, generator=draw, dtype=torch.float64))).requires_grad_()
    weight = torch.randn(5, 3, generator=draw, dtype=torch.float64).requires_grad_()
    shift = torch.randn(5, generator=draw, dtype=torch.float64).requires_grad_() if bias else None

    def ends(both: Tensor, weight: Tensor, *shift: Tensor) -> Tensor:
        found: Tensor = LinearEnds.apply(both, None, weight, shift[0] if shift else None, 1e-14, 0.0)
        return found

    given = (both, weight) if shift is None else (both, weight, shift)
    assert torch.autograd.gradcheck(ends, given)
    assert torch.autograd.gradgradcheck(ends, given)


def test_derivatives_of_tanh_of_many():
    x = torch.linspace(-4, 4, 8192, dtype=torch.float64).view(2, -1).requires_grad_()
    found = Tanh().at_ends(x)
    assert found is not None
    assert found.off > 0  # by way of the sigmoid
    (slope,) = torch.autograd.grad(found.both.sum(), x)
    assert torch.allclose(slope, 1 - x.detach().tanh() ** 2, rtol=0, atol=1e-14)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 3)).eval()


CHANGES = {
    "in place": lambda weight: weight.mul_(2),
    "by data": lambda weight: weight.data.mul_(2),
    "new data": lambda weight: setattr(weight, "data", weight.data * 2),
    "by numpy": lambda weight: weight.detach().numpy().__imul__(2),
    "transposed": lambda weight: setattr(weight, "data", (weight.data * 2).T.contiguous().T),
}


@pytest.mark.parametrize("batch", [1, 400])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_bounds_follow_weights_however_they_change(change, batch):
    """Nothing that was computed from weights is kept."""
    module, x = network(), torch.rand(batch, 6)
    before = sparring.bound(module, Region(x, 0.1), "ibp")
    with torch.no_grad():
        change(module[2].weight)
    fresh = network()
    with torch.no_grad():
        fresh[2].weight.copy_(module[2].weight)
    after, wanted = (sparring.bound(each, Region(x, 0.1), "ibp") for each in (module, fresh))
    assert not torch.allclose(after[0], before[0], atol=1e-3)
    for side in (0, 1):
        assert torch.allclose(after[side], wanted[side], rtol=0, atol=1e-5)


def test_large_products_are_those_of_torch():
    draw = torch.Generator().manual_seed(6)
    x, weight, bias = (torch.randn(*shape, generator=draw) for shape in ((300, 96), (80, 96), (80,)))
    wanted = torch.nn.functional.linear(x.double(), weight.double(), bias.double())
    assert x.numel() * 80 >= dense.LARGE
    assert torch.allclose(dense.linear(x, weight, bias).double(), wanted, rtol=0, atol=1e-4)
    moved = dense.linear(x, weight.T.contiguous().T)
    assert torch.allclose(moved.double(), wanted - bias, rtol=0, atol=1e-4)


@pytest.mark.parametrize("lead", [(3, 100), (3, 1000)])
def test_large_products_have_the_derivatives_of_torch(lead):
    """Of the first and of the second order, with leading dimensions, in one piece and in several."""
    assert (math.prod(lead) > dense.TALL) == (lead[1] > 100)
    draw = torch.Generator().manual_seed(7)
    given = [torch.randn(*shape, generator=draw).requires_grad_() for shape in ((*lead, 96), (80, 96), (80,))]
    wide = [part.detach().double().requires_grad_() for part in given]

    def derivatives(product: Any, parts: list[Tensor]) -> list[Tensor]:
        first = torch.autograd.grad(product(*parts).sin().sum(), parts, create_graph=True)
        return [*first, *torch.autograd.grad(sum(part.square().sum() for part in first), parts)]

    pairs = zip(derivatives(dense.linear, given), derivatives(torch.nn.functional.linear, wide), strict=True)
    for found, wanted in pairs:
        assert float((found - wanted).detach().abs().max()) <= 1e-4 * float(wanted.detach().abs().max())


@pytest.mark.parametrize("batch", [3, 300])
def test_both_ways_to_enter_a_region_agree(batch):
    """A ball that is not clipped is entered by its centre and radius, every other one by its corners."""
    module, x = network(), torch.rand(batch, 6)
    whole = sparring.bound(module, Region(x, 0.1), "ibp")
    clipped = sparring.bound(module, Region(x, 0.1, low=-10.0), "ibp")
    tensor = sparring.bound(module, Region(x, torch.full((6,), 0.1)), "ibp")
    for side in (0, 1):
        assert torch.allclose(whole[side], clipped[side], rtol=0, atol=1e-5)
        assert torch.allclose(whole[side], tensor[side], rtol=0, atol=1e-5)


def test_ends_that_leave_nothing_out_stay():
    both = torch.rand(2, 3)
    assert Ends(both).tight().both is both


def test_centres_radii_and_reaches_are_those_of_torch_with_their_derivatives(monkeypatch):
    draw = torch.Generator().manual_seed(8)
    low = torch.randn(3, 7, generator=draw, dtype=torch.float64).requires_grad_()
    high = (low.detach() + torch.rand(3, 7, generator=draw, dtype=torch.float64)).requires_grad_()

    def found(sized: bool) -> list[Tensor]:
        center, radius = middles.middles(low, high, 0.25, 0.125, torch.float64, sized)
        return [center, radius, *middles.reaches(torch.stack([low, high]), 0.25, 0.5)]

    for sized in (False, True):
        compiled = found(sized)
        with monkeypatch.context() as patched:
            patched.setattr(middles, "serves", lambda like, work: False)
            plain = found(sized)
        for own, wanted in zip(compiled, plain, strict=True):
            assert torch.allclose(own, wanted, rtol=1e-14, atol=0)
            weight = torch.rand(own.shape, generator=draw, dtype=torch.float64)
            gradients = [torch.autograd.grad((part[:3] * weight[:3]).sum(), (low, high)) for part in (own, wanted)]
            for first, second in zip(*gradients, strict=True):
                assert torch.allclose(first, second, rtol=1e-14, atol=0)
    assert torch.equal(found(True)[1][3:], torch.maximum(high, -low))
