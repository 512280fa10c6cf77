"""Regions, and `sparring.bound`: what is refused, what is kept, and that no bound is silent or stale."""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="bounds need torch")

import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import nn

import sparring
from sparring import Region, bounding
from sparring.bounds import BoundBackend
from sparring.errors import RefusedError, RequestError
from sparring.forms import Form
from sparring.policy import Ability, Policy
from sparring.projection import project_ball
from sparring.registry import PluginError, Registry

CENTER = torch.tensor([[0.1, -0.2, 0.3], [2.0, 0.0, -3.0]])


def network(dtype=torch.float32):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2)).to(dtype).eval()


class Boxes(BoundBackend):
    """Interval bounds of chains of linear layers and monotone ones."""

    name = "boxes"
    summary = "interval bounds"

    def bound(self, module, region, spec):
        low, high = region.corners
        for layer in module:
            if isinstance(layer, nn.Linear):
                middle, reach = layer((low + high) / 2), (high - low) / 2 @ layer.weight.abs().T
                low, high = middle - reach - 1e-6, middle + reach + 1e-6
            else:
                low, high = layer(low), layer(high)
        if spec is None:
            return low, high
        up, down = spec.clamp(min=0), spec.clamp(max=0)

        def times(rows, values):
            return torch.einsum("ro,bo->br" if rows.dim() == 2 else "bro,bo->br", rows, values)

        return times(up, low) + times(down, high), times(up, high) + times(down, low)


# -- regions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({"radius": -0.1}, r"radius -0\.1, expected a finite number from 0"),
        ({"radius": math.nan}, "radius nan, expected a finite"),
        ({"radius": math.inf}, "radius inf, expected a finite"),
        ({"radius": 1e39}, "radius 1e\\+39, expected a finite"),
        ({"radius": "wide"}, "radius 'wide' is neither a number nor a tensor"),
        ({"radius": torch.tensor([0.1, -0.1, 0.1])}, "a radius is negative or no finite number"),
        ({"radius": torch.tensor([0.1, math.nan, 0.1])}, "a radius is negative or no finite number"),
        ({"radius": torch.ones(2)}, r"radius has shape \[2\], which does not fit.*one a sample has shape \[2, 1\]"),
        ({"radius": torch.ones(4)}, r"radius has shape \[4\], which does not fit the centre's \[2, 3\]$"),
        ({"radius": torch.ones(5, 2, 3)}, r"radius has shape \[5, 2, 3\]"),
        ({"radius": torch.ones(3), "norm": "2"}, r"shape \[3\], norm '2' takes one a sample, \[2\]"),
        ({"radius": torch.ones(2, 3), "norm": "1"}, r"shape \[2, 3\], norm '1' takes one a sample"),
        ({"norm": "max"}, "norm 'max', choose from: '1', '2', 'inf'"),
        ({"norm": 2}, "norm 2, choose from"),
        ({"low": 1.0, "high": 0.0}, "the domain is empty, low lies above high"),
        ({"low": torch.tensor([0.0, 2.0, 0.0]), "high": 1.0}, "the domain is empty"),
        ({"low": math.nan}, "a limit of the domain is NaN"),
        ({"high": torch.full((3,), math.nan)}, "a limit of the domain is NaN"),
        ({"low": torch.zeros(4)}, r"low has shape \[4\], which does not fit the centre's \[2, 3\]"),
        ({"high": "far"}, "high 'far' is neither"),
        ({"center": CENTER.long()}, "the centre is torch.int64, expected a tensor of float32 or float64"),
        ({"center": CENTER.half()}, "the centre is torch.float16"),
        ({"center": CENTER.numpy()}, "the centre is ndarray"),
        ({"center": CENTER[0]}, r"the centre has shape \[3\], expected \[batch, \*features\]; unsqueeze"),
        ({"center": CENTER / 0}, "the centre holds NaN or infinity"),
        ({"center": CENTER.to("meta")}, "the centre is on the device 'meta' and has no values"),
        ({"center": torch._neg_view(CENTER)}, "the centre is a negative view"),
        ({"center": CENTER * math.nan}, "the centre holds NaN or infinity"),
    ],
)
def test_a_region_that_is_none_is_refused_in_one_line(given_, words):
    with pytest.raises(RequestError, match=words) as caught:
        Region(**{"center": CENTER, "radius": 0.1, **given_})
    assert "\n" not in str(caught.value)


def test_a_box_that_is_none_is_refused_in_one_line():
    for low, high, words in (
        (CENTER, CENTER - 1, "inverted, low lies above high"),
        (CENTER, CENTER[:1], "corners of one kind"),
        (CENTER, CENTER.double(), "corners of one kind.*float32.*float64"),
        (CENTER, CENTER / 0, "high holds NaN or infinity"),
        (CENTER * math.nan, CENTER, "low holds NaN or infinity"),
        (CENTER[0], CENTER[0], "low has shape"),
        (0.0, 1.0, "low is float"),
    ):
        with pytest.raises(RequestError, match=words):
            Region.box(low, high)


def test_large_finite_centres_are_no_infinity():
    region = Region(torch.full((1, 4), 3e38), 0.0)
    assert torch.equal(region.corners[0], region.center)


def test_corners_are_the_image_of_the_ball_under_clipping():
    region = Region(CENTER, torch.tensor([0.1, 0.2, 0.4]), low=-1.0, high=torch.tensor([0.15, 1.0, 1.0]))
    low, high = region.corners
    assert torch.allclose(low, torch.tensor([[0.0, -0.4, -0.1], [0.15, -0.2, -1.0]]))
    assert torch.allclose(high, torch.tensor([[0.15, 0.0, 0.7], [0.15, 0.2, -1.0]]))


@pytest.mark.parametrize(
    "radius", [0.25, torch.tensor([0.25, 0.5]), torch.tensor([[0.25], [0.5]]), np.float64(0.25), 1]
)
@pytest.mark.parametrize("norm", ["1", "2"])
def test_balls_have_one_radius_a_sample(radius, norm):
    region = Region(CENTER, radius, norm, low=-1, high=1)
    expected = torch.as_tensor(radius, dtype=torch.float32).reshape(-1).expand(2)
    assert torch.equal(region.ball_radius, expected)
    assert region.ball_radius.dtype == torch.float32
    assert torch.equal(region.ball_center, CENTER.clamp(-1, 1))
    assert torch.equal(region.corners[1], (CENTER + expected[:, None]).clamp(-1, 1))


def test_what_only_balls_have_is_refused_for_boxes():
    for name in ("ball_radius", "ball_center"):
        with pytest.raises(RequestError, match="ask for corners"):
            getattr(Region(CENTER, 0.1), name)


def test_a_box_gives_its_corners_back_to_the_last_digit():
    low = torch.rand(4, 7, generator=torch.Generator().manual_seed(1)) * 1e-3
    high = low + torch.rand(4, 7, generator=torch.Generator().manual_seed(2)) * 1e3
    region = Region.box(low, high)
    assert region.corners[0] is low
    assert region.corners[1] is high
    assert bool(((low <= region.center) & (region.center <= high)).all())


@given(st.floats(-1e3, 1e3, width=32), st.floats(0, 10), st.floats(-1, 1))
@example(-float(np.float32(0.1)), 0.1, 1.0)
@example(-float(np.float32(0.7)), 0.7, 1.0)
def test_no_float32_of_the_region_lies_outside_of_the_corners(middle, radius, part):
    low, high = Region(torch.tensor([[middle]]), radius).corners
    for place in (middle + part * radius, middle - radius, middle + radius):
        nearest = np.float32(place)
        for point in (nearest, np.nextafter(nearest, np.float32(-np.inf)), np.nextafter(nearest, np.float32(np.inf))):
            if abs(Fraction(float(point)) - Fraction(middle)) <= Fraction(radius):
                assert low.item() <= float(point) <= high.item()


def test_a_radius_that_float32_cannot_hold_is_rounded_up():
    radius = 0.1 + 1e-10  # float32 has 0.1 + 1.5e-9 below the next, and -6e-9 below that
    for given_ in (radius, torch.tensor(radius, dtype=torch.float64), [radius, radius]):
        assert bool((Region(CENTER, given_, "2").ball_radius.double() >= radius).all())
    just_above = float(np.float32(0.3)) + 1e-9
    assert Region(CENTER, just_above, "2").ball_radius[0].item() == np.nextafter(np.float32(0.3), np.float32(1))


@pytest.mark.parametrize("norm", ["1", "2"])
def test_clipped_points_of_a_ball_lie_in_the_ball_around_its_clipped_centre(norm):
    region = Region(CENTER.double() * 2, 0.7, norm, low=-0.5, high=0.4)
    rng = np.random.default_rng(0)
    change = project_ball(rng.uniform(-1, 1, size=(500, 2, 3)), 0.7, norm)
    points = (region.center + torch.from_numpy(change)).clamp(-0.5, 0.4)
    away = torch.linalg.vector_norm(points - region.ball_center, ord=int(norm), dim=-1)
    low, high = region.corners
    assert bool((away <= region.ball_radius + 1e-12).all())
    assert bool(((low - 1e-12 <= points) & (points <= high + 1e-12)).all())


def test_corners_are_kept_and_made_anew_when_a_tensor_has_changed():
    center = CENTER.clone()
    region = Region(center, 0.1)
    first = region.corners
    assert region.corners is first
    center.add_(1.0)
    assert torch.equal(region.corners[0], center - torch.tensor(0.1))
    assert region.corners is not first


def test_corners_are_differentiable_in_the_centre_and_never_of_a_spent_graph():
    center = CENTER.clone().requires_grad_()
    region = Region(center, 0.1, low=-1, high=1)
    with torch.no_grad():
        assert not region.corners[0].requires_grad
    for _ in range(2):
        (gradient,) = torch.autograd.grad(sum(region.corners).sum(), center)
        assert torch.equal(gradient, 2.0 * (CENTER.abs() <= 1))
    with torch.inference_mode():
        lazy = Region(CENTER, 0.1)
        assert lazy.corners[0].is_inference()
    weight = torch.ones(3, requires_grad=True)
    (lazy.corners[0] * weight).sum().backward()
    assert weight.grad is not None


LIMITS = np.linspace(-1, 0, 21).reshape(7, 3)
REGIONS = {
    "number": lambda x: Region(x, 0.2),
    "feature": lambda x: Region(x, torch.tensor([0.1, 0.2, 0.3]), low=0.0),
    "sample": lambda x: Region(x, torch.linspace(0, 1, 7)[:, None], low=LIMITS, high=torch.tensor([[1.0, 2.0, 3.0]])),
    "ball": lambda x: Region(x, torch.linspace(0, 1, 7), norm="2", high=0.5),
    "one ball": lambda x: Region(x, torch.tensor([0.3]), norm="1"),
    "box": lambda x: Region.box(x, x + torch.linspace(0, 1, 7)[:, None]),
}


@pytest.mark.parametrize("name", REGIONS)
def test_a_part_of_a_region_has_what_the_region_has_of_its_samples(name):
    region = REGIONS[name](torch.randn(7, 3, generator=torch.Generator().manual_seed(1)))
    part, some = region.part(slice(2, 6)), slice(2, 6)
    assert torch.equal(part.center, region.center[some])
    assert part.norm == region.norm
    for own, whole in zip(part.corners, region.corners, strict=True):
        assert torch.equal(own, whole[some])
    assert (part.whole_ball is None) == (region.whole_ball is None)
    if region.norm != "inf":
        assert torch.equal(part.ball_radius, region.ball_radius[some])
        assert torch.equal(part.ball_center, region.ball_center[some])


def test_a_changed_copy_has_its_own_corners():
    region = Region.box(CENTER, CENTER + 2)
    halved = replace(region, radius=region.radius / 2)
    assert torch.allclose(halved.corners[1], CENTER + 1.5)


# -- sparring.bound -------------------------------------------------------------------------------------------------


class Actor(Policy):
    """A policy with a network."""

    form = Form.SIMULATED
    abilities = frozenset({Ability.MODULE})

    def to_document(self):
        return {}

    def module(self):
        return network()


REGION = Region(CENTER, 0.1)


@pytest.mark.parametrize("spec", [None, torch.tensor([[1.0, -1.0]]), torch.ones(2, 4, 2)])
def test_bounds_hold_what_the_module_gives(spec):
    module = network()
    lower, upper = sparring.bound(module, REGION, Boxes(), spec)
    draw = torch.Generator().manual_seed(5)
    for _ in range(100):
        found = module(CENTER + (torch.rand(2, 3, generator=draw) * 2 - 1) * 0.1)
        if spec is not None:
            found = (spec @ found.unsqueeze(-1)).squeeze(-1)
        assert bool(((lower <= found) & (found <= upper)).all())


class WithDropout(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.1))

    def forward(self, x):
        return self.body(x)


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({"module": Actor()}, r"the module is a policy, Actor; hand over its \.module\(\), expected a torch"),
        ({"module": WithDropout}, r"is the class WithDropout itself; make one, WithDropout\(\.\.\.\)"),
        ({"module": torch.relu}, "the module is of type builtin_function_or_method, expected a torch.nn.Module"),
        ({"region": CENTER}, r"the region is of type Tensor, expected sparring\.Region"),
        ({"module": WithDropout()}, r"the Dropout at 'body\.1' is in training mode.*call \.eval\(\)"),
        ({"module": nn.BatchNorm1d(3)}, "the BatchNorm1d is in training mode"),
        ({"module": network(torch.float64)}, "the region is torch.float32 on cpu, the module torch.float64 on cpu"),
        ({"method": "crwn"}, r"unknown bound-backend 'crwn': did you mean 'crown'\?"),
        ({"method": "crown(step=3)"}, "bound-backend crown: there is no option 'step'"),
        ({"method": None}, "the method is None, expected the name of a bound backend"),
        ({"method": Boxes}, "the method is <class .*Boxes'>, expected the name"),
        ({"spec": [[1.0, -1.0]]}, "the spec is of type list, expected a tensor"),
        ({"spec": torch.ones(2)}, r"spec has shape \[2\], expected \[rows, outputs\] or \[2, rows, outputs\]"),
        ({"spec": torch.ones(3, 1, 2)}, r"spec has shape \[3, 1, 2\], expected"),
        ({"spec": torch._neg_view(torch.ones(1, 2))}, "the spec is a negative view"),
        ({"spec": torch.ones(1, 2).double()}, "the spec is torch.float64 on cpu, the region torch.float32 on cpu"),
        ({"spec": torch.ones(1, 3)}, "spec has 3 columns for 2 outputs of the module"),
        ({"region": Region(torch.zeros(1, 4), 0.1)}, r"does not take inputs of shape \[1, 4\]: mat1 and mat2"),
    ],
)
def test_a_wrong_request_is_refused_in_one_line(given_, words):
    asked = {"module": network(), "region": REGION, "method": Boxes(), "spec": None, **given_}
    with pytest.raises(RequestError, match=words) as caught:
        sparring.bound(asked["module"], asked["region"], asked["method"], asked["spec"])
    assert "\n" not in str(caught.value)


def test_training_mode_matters_only_where_it_makes_a_difference():
    sparring.bound(network().train(), REGION, Boxes())


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("name", ["0.weight", "0.bias", "2.weight", "2.bias"])
def test_a_weight_that_is_no_number_is_named(name, value):
    module = network()
    module.get_parameter(name).data.view(-1)[0] = value
    with pytest.raises(RequestError, match=f"bound: {name} holds {'NaN' if math.isnan(value) else 'infinity'}"):
        sparring.bound(module, REGION, Boxes())


@pytest.mark.parametrize("method", ["ibp", "crown", "crown-ibp", "forward", "alpha-crown(steps=2)", "best"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_no_backend_of_ours_overlooks_a_weight_that_is_no_number(method, value):
    for name, weight in network().named_parameters():
        for place in (0, weight.numel() - 1):
            module = network()
            module.get_parameter(name).data.view(-1)[place] = value
            with pytest.raises(RequestError, match=f"bound: {name} holds"):
                sparring.bound(module, REGION, method)


def test_a_specification_that_is_no_number_is_named():
    with pytest.raises(RequestError, match="the spec holds NaN"):
        sparring.bound(network(), REGION, Boxes(), torch.full((1, 2), math.nan))


class Giving(Boxes):
    """Gives what it is told to."""

    name = "giving"

    def __init__(self, given):
        super().__init__()
        self.given = given

    def bound(self, module, region, spec):
        return self.given


def ends(*rows):
    return tuple(torch.tensor([row, row]) for row in rows)


def test_a_bound_that_is_none_is_unknown_and_never_handed_out():
    for given_, words in (
        (ends([0.0, -math.inf], [1.0, 1.0]), "unknown: the bound is not finite under giving"),
        (ends([0.0, 0.0], [1.0, math.inf]), "unknown: the bound is not finite"),
        (ends([0.0, math.inf], [1.0, math.inf]), "unknown: the bound is not finite"),
        (ends([0.0, math.nan], [1.0, 1.0]), "unknown: the bound is not finite"),
        (ends([0.0, 2.0], [1.0, 1.0]), "unknown: the lower bound lies above the upper one"),
    ):
        with pytest.raises(RefusedError, match=words):
            sparring.bound(network(), REGION, Giving(given_))
    for given_ in (None, ends([0.0, 0.0]), (0.0, 1.0), ends([0.0, 0.0], [1.0]), ends(0.0, 1.0)):
        with pytest.raises(PluginError, match="bound-backend giving: it gave"):
            sparring.bound(network(), REGION, Giving(given_))
    with pytest.raises(PluginError, match=r"shapes \[2, 2\] and \[2, 2\], expected \[2, 1\]"):
        sparring.bound(network(), REGION, Giving(ends([0.0, 0.0], [1.0, 1.0])), torch.ones(1, 2))


def test_a_width_that_overflows_is_no_infinity():
    far = ends([-3e38, 0.0], [3e38, 1.0])
    assert sparring.bound(network(), REGION, Giving(far)) == far


def test_what_a_backend_raises_is_its_own_where_the_request_was_right():
    class Broken(Boxes):
        def bound(self, module, region, spec):
            raise ZeroDivisionError("its fault")

    with pytest.raises(ZeroDivisionError, match="its fault"):
        sparring.bound(network(), REGION, Broken())


BACKEND = """
from sparring import hookimpl
from sparring.bounds import BoundBackend

class Mine(BoundBackend):
    name = "{name}"
    summary = "a constant"

    def bound(self, module, region, spec):
        outputs = module(region.center)
        return outputs - {away}, outputs + {away}

@hookimpl
def sparring_bound_backends():
    return [Mine]
"""


def test_methods_are_made_once_and_follow_the_registry(tmp_path: Path):
    registry = Registry()
    (tmp_path / "one.py").write_text(BACKEND.format(name="wide", away=1.0))
    with pytest.raises(RequestError, match="unknown bound-backend 'wide'"):
        sparring.bound(network(), REGION, "wide", registry=registry)
    registry.add_file(tmp_path / "one.py")
    lower, upper = sparring.bound(network(), REGION, "wide", registry=registry)
    assert torch.allclose(upper - lower, torch.tensor(2.0))
    made = bounding._backend("wide", registry)
    assert bounding._backend("wide", registry) is made
    (tmp_path / "two.py").write_text(BACKEND.format(name="wide", away=2.0))
    registry.add_file(tmp_path / "two.py")
    with pytest.raises(RequestError, match="announced by 2 distributions"):
        sparring.bound(network(), REGION, "wide", registry=registry)
    lower, upper = sparring.bound(network(), REGION, "two.py:wide", registry=registry)
    assert torch.allclose(upper - lower, torch.tensor(4.0))
    with registry.in_use():
        sparring.bound(network(), REGION, "one.py:wide")
    for other in (Registry(), Registry(disabled=frozenset({"crown"}))):
        with pytest.raises(RequestError, match="unknown bound-backend"):
            sparring.bound(network(), REGION, "wide" if "crown" in other.names("bound-backend") else "crown",
                           registry=other)  # fmt: skip


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize("method", ["ibp", "crown", "crown-ibp", "forward", "alpha-crown(steps=2)"])
@pytest.mark.parametrize("sizes", [(0, 5, 3), (4, 0, 3), (4, 5, 0)])
@pytest.mark.parametrize("rows", [None, 0, 2])
@pytest.mark.parametrize("batch", [0, 3, 20])
@pytest.mark.parametrize("graded", [False, True])
def test_nothing_is_bounded_or_refused_in_one_line(method, sizes, rows, batch, graded):
    module = nn.Sequential(nn.Linear(*sizes[:2]), nn.ReLU(), nn.Linear(*sizes[1:]))
    spec = None if rows is None else torch.ones(rows, sizes[2])
    # What is refused is refused in one line, unlike what else may be raised.
    with contextlib.suppress(RequestError), torch.set_grad_enabled(graded):
        low, high = sparring.bound(module, Region(torch.zeros(batch, sizes[0]), 0.1), method, spec)
        assert low.shape == high.shape == (batch, sizes[2] if rows is None else rows)
        outputs = module(torch.zeros(batch, sizes[0]))
        wanted = outputs if spec is None else outputs @ spec.T
        assert ((low <= wanted) & (wanted <= high)).all()
        assert 0 in sizes[::2] or torch.allclose(low, high, atol=1e-5)  # without units inside only the bias is left


def test_only_so_many_methods_are_kept():
    for steps in range(bounding.MOST_MADE + 5):
        bounding._backend(f"auto-lirpa(iterations={steps + 1})", None)
    assert len(bounding._MADE) <= bounding.MOST_MADE
