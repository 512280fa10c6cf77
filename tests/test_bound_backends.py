"""Every bound backend: sound, in the right order, repeatable, differentiable; and training with their bounds."""

from __future__ import annotations

import itertools

import pytest

pytest.importorskip("torch", reason="bounds need torch")

import torch
import torch.nn.functional as F
from torch import nn

import sparring
from sparring import Region
from sparring.errors import RequestError
from sparring_plugins.bounds.best import Best
from sparring_plugins.bounds.crown_ibp import CrownIbp
from sparring_plugins.bounds.training import cross_entropy_bound, fused_cross_entropy_bound, margin_spec
from sparring_plugins.propagation import pieces, precision
from sparring_plugins.propagation.schedules import Ramp

METHODS = [
    "ibp",
    "crown-ibp",
    "crown-ibp(beta=0.4)",
    "forward",
    "crown(intermediate=forward)",
    "crown",
    "alpha-crown(steps=5)",
    "alpha-crown(steps=5,intermediate=fixed)",
    "best(seconds=0.05)",
]


class Gated(nn.Module):
    """A residual connection and a product, whose relaxation is planes."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.gate, self.inside, self.leave = (nn.Linear(*s) for s in ((5, 9), (9, 9), (9, 9), (9, 4)))

    def forward(self, x):
        x = torch.relu(self.enter(x))
        return self.leave(x + torch.sigmoid(self.gate(x)) * torch.tanh(self.inside(x)))


def _stack(*curves):
    sizes = [5, *[12] * len(curves), 4]
    layers = [nn.Linear(*pair) for pair in itertools.pairwise(sizes)]
    return nn.Sequential(*itertools.chain(*zip(layers, curves, strict=False)), layers[-1])


NETWORKS = {
    "relu": lambda: _stack(nn.ReLU(), nn.ReLU(), nn.ReLU()),
    "leaky": lambda: _stack(nn.LeakyReLU(0.2), nn.LeakyReLU(0.2)),
    "folded": lambda: _stack(nn.LeakyReLU(-0.7), nn.LeakyReLU(-0.7), nn.LeakyReLU(-0.7)),
    "tanh": lambda: _stack(nn.Tanh(), nn.Tanh()),
    "sigmoid": lambda: _stack(nn.Sigmoid(), nn.Sigmoid()),
    "smooth": lambda: _stack(nn.ELU(), nn.GELU()),
    "gated": Gated,
    "convolution": lambda: nn.Sequential(
        nn.Unflatten(1, (1, 5)), nn.Conv1d(1, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(15, 4)
    ),
}


def network(name, dtype=torch.float64, gain=1.6):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(len(name))
        made = NETWORKS[name]().to(dtype).eval()
    with torch.no_grad():
        for weight in made.parameters():
            weight.mul_(gain)  # far from linear
    return made.requires_grad_(False)


def centers(batch=4, dtype=torch.float64, seed=1):
    return torch.randn(batch, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


REGIONS = {
    "inf": lambda x: Region(x, 0.3),
    "2": lambda x: Region(x, 0.5, "2"),
    "1": lambda x: Region(x, 0.7, "1", low=-1.0, high=1.0),
    "box": lambda x: Region.box(x - 0.1, x + x.abs() / 2),
}


def inside(region, points):
    """The nearest points of the region, or nearly: scaled to the ball, then cut by the box around it."""
    if region.norm != "inf":
        away = points - region.ball_center
        length = torch.linalg.vector_norm(away, float(region.norm), -1, keepdim=True)
        # A little short of the ball, whose edge the scaled point would miss by rounding.
        points = region.ball_center + away * (region.ball_radius[:, None] * (1 - 1e-6) / length).clamp(max=1)
    return points.clamp(*region.corners)


def searched(module, region, steps=15):
    """Least and greatest outputs by sampling and then gradient ascent, [batch, outputs] each."""
    draw = torch.Generator().manual_seed(3)
    low, high = region.corners
    spread = torch.rand(300, *low.shape, generator=draw, dtype=torch.float64).to(low.dtype)
    points = inside(region, low + (high - low) * (spread * 1.4 - 0.2).clamp(0, 1))
    values = module(points.flatten(0, 1)).unflatten(0, points.shape[:2])
    ends = []
    for sign in (-1.0, 1.0):
        best = (sign * values).amax(0)
        found = points[(sign * values).argmax(0), torch.arange(low.shape[0])[:, None]].clone()  # [batch, outputs, 5]
        for step in range(steps):
            found.requires_grad_()
            reached = module(found.flatten(0, 1)).unflatten(0, found.shape[:2]).diagonal(dim1=1, dim2=2)
            best = torch.maximum(best, sign * reached.detach())
            (way,) = torch.autograd.grad((sign * reached).sum(), found)
            moved = found.detach() + way.sign() * (high - low)[:, None] * 0.2 / (1 + step)
            found = torch.stack([inside(region, moved[:, k]) for k in range(moved.shape[1])], 1)
        ends.append(sign * best)
    return ends


@pytest.mark.parametrize(("shape", "dtype"), [*zip(REGIONS, [torch.float32, torch.float64] * 2, strict=True),
                                              ("inf", torch.float64)])  # fmt: skip
@pytest.mark.parametrize("name", NETWORKS)
def test_nothing_that_a_search_finds_lies_outside(name, shape, dtype):
    module, region = network(name, dtype), REGIONS[shape](centers(dtype=dtype))
    least, most = searched(module, region)
    for method in METHODS:
        lower, upper = sparring.bound(module, region, method)
        assert bool((lower <= least).all()), method
        assert bool((most <= upper).all()), method


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_point_is_bounded_to_rounding(name, method):
    module, x = network(name), centers()
    lower, upper = sparring.bound(module, Region(x, 0.0), method)
    exact = module(x)
    assert bool((lower <= exact).all())
    assert bool((exact <= upper).all())
    assert (upper - lower).max() < 1e-9


@pytest.mark.parametrize("name", NETWORKS)
def test_methods_come_in_their_order(name):
    module, region = network(name), Region(centers(), 0.3)
    widths, bounds = {}, {}
    for method in METHODS:
        lower, upper = bounds[method] = sparring.bound(module, region, method)
        widths[method] = (upper - lower).mean().item()
    crown, alpha = bounds["crown"], bounds["alpha-crown(steps=5)"]
    assert bool((alpha[0] >= crown[0]).all())
    assert bool((alpha[1] <= crown[1]).all())
    assert widths["alpha-crown(steps=5)"] < widths["crown"] < widths["ibp"]
    fixed = bounds["alpha-crown(steps=5,intermediate=fixed)"]
    assert bool((fixed[0] >= crown[0]).all())
    assert widths["alpha-crown(steps=5)"] <= widths["alpha-crown(steps=5,intermediate=fixed)"] + 1e-12
    mixed, (first, second) = bounds["crown-ibp(beta=0.4)"], (bounds["ibp"], bounds["crown-ibp"])
    for side in (0, 1):
        assert torch.allclose(mixed[side], 0.4 * second[side] + 0.6 * first[side], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["relu", "gated"])
def test_best_is_within_all_that_it_ran_and_says_what_that_was(name):
    module, region, best = network(name), Region(centers(), 0.3), Best(seconds=60.0)
    assert best.report is None
    lower, upper = sparring.bound(module, region, best)
    assert best.report is not None
    assert [run.method for run in best.report.runs] == ["ibp", "crown-ibp", "crown", "alpha-crown(steps=20)"]
    assert best.report.method == "alpha-crown(steps=20)"
    assert best.report.left_out == ()
    for run in best.report.runs:
        low, high = sparring.bound(module, region, run.method)
        assert bool((lower >= low).all())
        assert bool((upper <= high).all())
        assert run.width == pytest.approx((high - low).mean().item())


def test_best_leaves_out_what_does_not_fit():
    best = Best(seconds=1e-9)
    lower, _ = sparring.bound(network("relu"), Region(centers(), 0.3), best)
    assert torch.equal(lower, sparring.bound(network("relu"), Region(centers(), 0.3), "ibp")[0])
    assert best.report is not None
    assert best.report.method == "ibp"
    assert best.report.left_out == ("crown-ibp", "crown", "alpha-crown")


@pytest.mark.parametrize("method", METHODS[:-1])
@pytest.mark.parametrize("name", ["leaky", "tanh", "smooth", "gated"])
def test_the_same_call_gives_the_same_bits_and_leaves_no_trace(name, method):
    module, region = network(name), Region(centers(), 0.3)
    state = torch.get_rng_state()
    first, second = (sparring.bound(module, region, method) for _ in range(2))
    with torch.inference_mode():
        again = sparring.bound(module, Region(centers(), 0.3), method)
    with torch.no_grad():
        third = sparring.bound(module, region, method)
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), state)
    for side in (0, 1):
        assert torch.equal(first[side], second[side])
        assert torch.equal(again[side], third[side])
        # Sums are taken in another order where nothing is differentiated.
        assert torch.allclose(first[side], third[side], rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("method", METHODS[:-1])
@pytest.mark.parametrize("name", ["relu", "folded", "sigmoid", "gated"])
def test_a_sample_does_not_feel_its_batch(name, method):
    module, x = network(name), centers(7)
    whole = sparring.bound(module, Region(x, 0.3), method)
    for place in (0, 6):
        alone = sparring.bound(module, Region(x[place : place + 1], 0.3), method)
        for side in (0, 1):
            assert torch.allclose(alone[side][0], whole[side][place], rtol=0, atol=1e-9)


@pytest.mark.parametrize("method", ["ibp", "crown-ibp", "crown-ibp(beta=0.4)", "crown", "crown(intermediate=forward)"])
@pytest.mark.parametrize("norm", ["inf", "2"])
def test_pieces_of_a_batch_are_bounded_as_the_whole(method, norm, monkeypatch):
    radius = torch.linspace(0.1, 0.7, 7, dtype=torch.float64)
    region = Region(centers(7), radius[:, None] if norm == "inf" else radius, norm=norm)
    draw = torch.Generator().manual_seed(2)
    specs = [None, *(torch.randn(*shape, generator=draw, dtype=torch.float64) for shape in ((2, 4), (7, 2, 4)))]
    module, whole_part, taken = network("gated"), Region.part, []
    with torch.no_grad():
        wanted = [sparring.bound(module, region, method, spec) for spec in specs]
        monkeypatch.setattr(pieces, "CACHED", 60)
        monkeypatch.setattr(Region, "part", lambda self, some: taken.append(some) or whole_part(self, some))
        found = [sparring.bound(module, region, method, spec) for spec in specs]
    assert [(some.start, some.stop) for some in taken] == 3 * [(0, 3), (3, 6), (6, 9)]
    for own, whole in zip(found, wanted, strict=True):
        for side in (0, 1):
            assert torch.allclose(own[side], whole[side], rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", METHODS[:-1])
def test_specifications_are_rows_of_outputs(method):
    module, region = network("relu"), Region(centers(), 0.3)
    spec = torch.eye(4, dtype=torch.float64)[:1] - torch.eye(4, dtype=torch.float64)
    lower, upper = sparring.bound(module, region, method, spec)
    plain = sparring.bound(module, region, method)
    assert (lower[:, 0].abs() < 1e-9).all()
    assert (upper[:, 0].abs() < 1e-9).all()
    own = spec.expand(4, 4, 4).contiguous()
    assert torch.allclose(sparring.bound(module, region, method, own)[0], lower, rtol=0, atol=1e-9)
    # Rows of differences are bounded no worse than differences of bounds.
    assert bool((upper <= plain[1][:, :1] - plain[0] + 1e-9).all())
    assert bool((lower >= plain[0][:, :1] - plain[1] - 1e-9).all())


@pytest.mark.parametrize("method", METHODS[:-1])
@pytest.mark.parametrize("name", ["relu", "tanh", "gated"])
def test_gradients_follow_the_bounds(name, method):
    module, x = network(name), centers(3)
    learned = [x.requires_grad_(), *(weight.requires_grad_() for weight in module.parameters())]

    def width(method=method):
        lower, upper = sparring.bound(module, Region(x, 0.1), method)
        return (upper - lower).sum()

    gradients = torch.autograd.grad(width(), learned)
    assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients)
    assert all(bool(gradient.any()) for gradient in gradients[1:-1])  # a bias at the end moves both bounds alike
    if method.startswith("alpha"):
        return  # slopes count as constants there, so the bound's own change is another one
    draw = torch.Generator().manual_seed(5)
    along = [torch.randn(part.shape, generator=draw, dtype=torch.float64) for part in learned]
    expected = sum((gradient * way).sum() for gradient, way in zip(gradients, along, strict=True)).item()
    ends = []
    with torch.no_grad():
        for step in (1e-6, -2e-6):
            for part, way in zip(learned, along, strict=True):
                part.add_(way, alpha=step)
            ends.append(width().item())
    assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(expected, rel=2e-3, abs=1e-3)


def test_forward_mode_minds_the_sign_of_slopes():
    """A line with a negative slope takes its lower end from the upper function: `|x|` of two units that differ."""
    module = nn.Sequential(nn.Linear(1, 2), nn.LeakyReLU(-1.0), nn.Linear(2, 1), nn.LeakyReLU(-1.0)).double().eval()
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor([[1.0], [1.0]]))
        module[0].bias.copy_(torch.tensor([0.0, -1.0]))
        module[2].weight.copy_(torch.tensor([[1.0, -1.0]]))
        module[2].bias.zero_()
    region = Region(torch.tensor([[-2.0], [0.5], [3.0]], dtype=torch.float64), 0.9)
    points = torch.linspace(-0.9, 0.9, 1001, dtype=torch.float64)
    values = torch.stack([module(region.center[k] + points[:, None]) for k in range(3)])
    for method in ("forward", "crown(intermediate=forward)", "crown", "alpha-crown"):
        lower, upper = sparring.bound(module, region, method)
        assert bool((lower <= values.amin(1)).all()), method
        assert bool((values.amax(1) <= upper).all()), method
    # Away from kinks all is affine and the bounds are exact.
    lower, upper = sparring.bound(module, region, "forward")
    assert torch.allclose(upper[[0, 2]], torch.ones(2, 1, dtype=torch.float64), rtol=0, atol=1e-12)
    assert torch.allclose(lower[[0, 2]], torch.ones(2, 1, dtype=torch.float64), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_forward_mode_merges_rows_with_the_last_layer(dtype):
    """What two outputs share cancels in their difference, as if it were a layer of the network."""
    torch.manual_seed(5)
    module = nn.Sequential(nn.Linear(4, 12), nn.ReLU(), nn.Linear(12, 9), nn.Tanh(), nn.Linear(9, 5)).to(dtype).eval()
    spec = (torch.eye(5)[1:] - torch.eye(5)[:1]).to(dtype)
    last = nn.Linear(9, 4).to(dtype)
    with torch.no_grad():
        last.weight.copy_(spec @ module[4].weight)
        last.bias.copy_(spec @ module[4].bias)
    center = torch.randn(3, 4).to(dtype)
    region = Region(center, 0.3)
    wanted = sparring.bound(nn.Sequential(*module[:4], last), region, "forward")
    turned = torch.stack([spec, spec.flip(0), -spec])
    for given in (spec, turned):
        found = sparring.bound(module, region, "forward", given)
        same = found[0][0], found[1][0]
        for ours, theirs in zip(same, (wanted[0][0], wanted[1][0]), strict=True):
            assert torch.allclose(ours, theirs, rtol=0, atol=1e-11 if dtype is torch.float64 else 1e-4)
        points = (center + 0.3 * (2 * torch.rand(400, 3, 4, dtype=dtype) - 1)).clamp(*region.corners)
        values = torch.einsum("kbo,bro->kbr", module(points).double(), given.expand(3, -1, -1).double())
        assert bool((found[0] <= values).all())
        assert bool((values <= found[1]).all())
    backwards = sparring.bound(module, region, "forward", turned)[0]
    assert torch.allclose(backwards[2], -sparring.bound(module, region, "forward", spec)[1][2])


def test_a_sample_gets_the_same_bounds_in_every_batch():
    """Also of units that boxes find stable and a backward pass does not; compiled or differentiated."""
    torch.manual_seed(6)
    sizes = (5, 12, 12, 12, 3)
    layers = [part for pair in itertools.pairwise(sizes) for part in (nn.Linear(*pair), nn.ReLU())][:-1]
    module = nn.Sequential(*layers).double().eval()
    with torch.no_grad():
        for layer in module[::2]:
            layer.weight.mul_(2.2)
    center = torch.randn(12, 5, dtype=torch.float64)
    together = sparring.bound(module, Region(center, 0.4), "crown")
    for grad in (True, False):
        with torch.set_grad_enabled(grad):
            alone = [sparring.bound(module, Region(each[None], 0.4), "crown") for each in center]
        for side, parts in enumerate(zip(*alone, strict=True)):
            assert torch.allclose(together[side], torch.cat(parts), rtol=0, atol=1e-9)


@pytest.mark.parametrize(("norm", "dual"), [("2", 2), ("1", float("inf"))])
def test_boxes_start_where_the_network_is_no_longer_affine(norm, dual):
    """The first box around the image of a ball is that of the dual norm, not of the ball's corners."""
    torch.manual_seed(3)
    first, second = nn.Linear(6, 5).double(), nn.Linear(5, 5).double()
    center = torch.randn(3, 6, dtype=torch.float64)
    region = Region(center, 0.5, norm=norm)
    reach = 0.5 * torch.linalg.vector_norm(first.weight, dual, dim=1)
    lower, upper = sparring.bound(first, region, "ibp")
    assert torch.allclose(upper, first(center) + reach, rtol=0, atol=1e-10)
    rows = torch.eye(5, dtype=torch.float64)[1:] - torch.eye(5, dtype=torch.float64)[:1]
    margin = 0.5 * torch.linalg.vector_norm(rows @ first.weight, dual, dim=1)
    found = sparring.bound(first, region, "ibp", rows)[1]
    assert torch.allclose(found, first(center) @ rows.T + margin, rtol=0, atol=1e-10)

    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = first, second

        def forward(self, x):
            y = self.first(x)
            return y + torch.relu(self.second(y))

    lower, upper = sparring.bound(Residual(), region, "ibp")
    inner = 0.5 * torch.linalg.vector_norm(second.weight @ first.weight, dual, dim=1)
    middle = second(first(center))
    assert torch.allclose(upper, first(center) + reach + (middle + inner).relu(), rtol=0, atol=1e-10)
    assert torch.allclose(lower, first(center) - reach + (middle - inner).relu(), rtol=0, atol=1e-10)


@pytest.mark.parametrize("norm", ["1", "2"])
def test_boxes_of_a_network_without_curves_are_exact_over_balls(norm):
    torch.manual_seed(5)
    first, second = nn.Linear(6, 5).double(), nn.Linear(5, 4).double()
    region, rows = Region(torch.randn(3, 6, dtype=torch.float64), 0.5, norm=norm), torch.ones(2, 4, dtype=torch.float64)
    whole = nn.Linear(6, 4).double()
    with torch.no_grad():
        whole.weight.copy_(second.weight @ first.weight)
        whole.bias.copy_(second(first.bias))
    for spec in (None, rows):
        found = sparring.bound(nn.Sequential(first, nn.Dropout().eval(), second), region, "ibp", spec)
        for ours, exact in zip(found, sparring.bound(whole, region, "crown", spec), strict=True):
            assert torch.allclose(ours, exact, rtol=0, atol=1e-10)


def test_a_wrong_option_is_refused():
    module, region = network("relu"), Region(centers(), 0.1)
    for method in ("crown-ibp(beta=1.5)", "alpha-crown(steps=0)", "best(seconds=0)", "alpha-crown(intermediate=no)"):
        with pytest.raises(RequestError):
            sparring.bound(module, region, method)


def test_ramps_go_where_they_should():
    linear, smooth = Ramp(10, 20, 0.0, 0.3), Ramp(10, 20, 0.0, 0.3, "smooth")
    falling = Ramp(0, 4, 1.0, 0.0)
    assert [linear.at(step) for step in (0, 10, 20, 30, 99)] == pytest.approx([0, 0, 0.15, 0.3, 0.3])
    assert [falling.at(step) for step in (0, 1, 4)] == pytest.approx([1, 0.75, 0])
    values = [smooth.at(10 + k / 50) for k in range(1001)]
    assert values[0] == 0
    assert values[-1] == 0.3
    assert all(before <= after for before, after in itertools.pairwise(values))
    rises = [after - before for before, after in itertools.pairwise(values)]
    assert rises[0] < 1e-3 * rises[-1]  # sets out slowly
    assert rises[249] == pytest.approx(rises[251], rel=0.02)  # no kink where power and line meet
    assert Ramp(5, 0).at(5) == 1
    with pytest.raises(RequestError, match="ramp: length -1"):
        Ramp(0, -1)
    with pytest.raises(RequestError, match="choose from"):
        Ramp(0, 1, shape="cubic")


@pytest.mark.parametrize("method", ["ibp", "crown-ibp", "crown", "alpha-crown(steps=4)"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["single", "double"])
def test_a_fused_loss_bounds_the_cross_entropy(method, dtype):
    module, x = network("tanh", dtype), centers(6, dtype)
    labels, region = torch.arange(6) % 4, Region(x, 0.2)
    points = x + (torch.rand(2000, 6, 5, generator=torch.Generator().manual_seed(7)).to(dtype) * 2 - 1) * 0.2
    points = points.clamp(*region.corners)
    logits = module(points.flatten(0, 1))
    worst = F.cross_entropy(logits, labels.repeat(2000), reduction="none").view(2000, 6).amax(0)
    margins = cross_entropy_bound(module, region, labels, "ibp")
    for beta in (1.0, 0.3, 0.0):
        fused = fused_cross_entropy_bound(module, region, labels, method, beta)
        assert fused.shape == (6,)
        assert bool((worst <= fused).all())
        # A chord lies below the exponential of the margin's upper end.
        assert fused.mean() <= margins.mean() * (1 + 1e-5)
    assert bool((worst <= cross_entropy_bound(module, region, labels, method)).all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["single", "double"])
def test_a_fused_loss_at_a_point_is_the_loss(dtype):
    module, x = network("relu", dtype, gain=4.0), centers(6, dtype) * 10
    labels = torch.arange(6) % 4
    exact = F.cross_entropy(module(x), labels, reduction="none")
    fused = fused_cross_entropy_bound(module, Region(x, 0.0), labels)
    assert exact.max() > 100  # exponentials overflow without care in single precision
    assert bool((exact <= fused).all())
    assert torch.allclose(fused, exact, rtol=1e-3 if dtype is torch.float32 else 1e-9, atol=1e-3)


def test_labels_that_are_no_outputs_are_refused():
    module, region = network("relu"), Region(centers(), 0.1)
    for labels in (torch.tensor([0, 1, 2, 4]), torch.tensor([0.0, 1, 2, 3]), torch.tensor([-1, 0, 0, 0])):
        with pytest.raises(RequestError, match="labels must be whole numbers from 0 to 3"):
            fused_cross_entropy_bound(module, region, labels)
    with pytest.raises(RequestError, match=r"beta 2\.0"):
        fused_cross_entropy_bound(module, region, torch.zeros(4, dtype=torch.long), beta=2.0)


def _puzzle(count, seed):
    """One feature that tells most classes apart robustly, and seven that tell all, but within the attacker's reach."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 2, (count,), generator=draw)
    side = 2.0 * labels - 1
    strong = side * torch.where(torch.rand(count, generator=draw) < 0.93, 1.0, -1.0)
    weak = 0.08 * side[:, None] + 0.02 * torch.randn(count, 7, generator=draw)
    return torch.cat([strong[:, None], weak], 1), labels


def _trained(loss):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        module = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 2)).eval()
    inputs, labels = _puzzle(160, 1)
    optimiser = torch.optim.Adam(module.parameters(), 1e-2)
    for step in range(80):
        optimiser.zero_grad()
        loss(module, inputs, labels, step).mean().backward()
        assert all(weight.grad is not None and bool(weight.grad.any()) for weight in module.parameters())
        optimiser.step()
    return module


def _certified(module, radius):
    inputs, labels = _puzzle(400, 2)
    spec = margin_spec(labels, 2, inputs)
    with torch.no_grad():
        upper = sparring.bound(module, Region(inputs, radius), "crown", spec)[1]
    others = upper[F.one_hot(labels, 2) == 0]
    return (others < 0).double().mean().item()


RADIUS = Ramp(10, 45, 0.0, 0.25, "smooth")
BETA = Ramp(10, 45, 1.0, 0.0)
LOSSES = {
    "ibp": lambda module, x, y, step: cross_entropy_bound(module, Region(x, RADIUS.at(step)), y, "ibp"),
    "fused": lambda module, x, y, step: fused_cross_entropy_bound(
        module, Region(x, RADIUS.at(step)), y, "crown-ibp", BETA.at(step)
    ),
    "margins": lambda module, x, y, step: cross_entropy_bound(
        module, Region(x, RADIUS.at(step)), y, CrownIbp(beta=BETA.at(step))
    ),
}


def test_certified_training_raises_the_certified_accuracy():
    plain = _trained(lambda module, x, y, step: F.cross_entropy(module(x), y, reduction="none"))
    assert _certified(plain, 0.0) > 0.97
    assert _certified(plain, 0.25) < 0.7
    for name, loss in LOSSES.items():
        assert _certified(_trained(loss), 0.25) > 0.88, name


def test_fewer_digits_than_the_type_has_are_refused():
    module, region = torch.nn.Sequential(torch.nn.Linear(2, 2)).eval(), Region(torch.zeros(1, 2), 0.1)
    sparring.bound(module, region)
    torch.set_float32_matmul_precision("high")
    try:
        with pytest.raises(sparring.RefusedError, match="fewer digits"):
            sparring.bound(module, region)
    finally:
        torch.set_float32_matmul_precision("highest")
    with torch.autocast("cpu"), pytest.raises(sparring.RefusedError, match="autocast"):
        sparring.bound(module, region)


ONEDNN = {"conv": ("conv", "bf16"), "matmul": ("matmul", "bf16"), "all": (None, "tf32")}


@pytest.mark.skipif(not hasattr(torch.backends.mkldnn, "conv"), reason="this version of torch has no such settings")
@pytest.mark.parametrize(("part", "digits"), ONEDNN.values(), ids=ONEDNN)
@pytest.mark.parametrize("shortly", [True, False])
def test_newer_settings_of_precision_are_seen(part, digits, shortly, monkeypatch):
    """Torch itself raises where the older setting is asked for beside some of these."""
    if not shortly:
        monkeypatch.setattr(precision, "_setting", precision._public)
    holder = torch.backends.mkldnn if part is None else getattr(torch.backends.mkldnn, part)
    before = holder.fp32_precision
    module, region = network("relu", torch.float32), Region(centers().float(), 0.1)
    holder.fp32_precision = digits
    try:
        with pytest.raises(sparring.RefusedError, match="fewer digits"):
            sparring.bound(module, region, "ibp")
    finally:
        holder.fp32_precision = before
    sparring.bound(module, region, "ibp")
