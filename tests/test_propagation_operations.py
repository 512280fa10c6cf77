"""Bounds of every operation hold what the network computes; what has no rule is refused by name."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("torch", reason="bounds need torch")

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import sparring
from operation_networks import NETWORKS, Network, Program
from sparring import Region
from sparring.errors import RefusedError, RequestError
from sparring_plugins.bounds.crown import Crown
from sparring_plugins.bounds.ibp import Ibp
from sparring_plugins.propagation.kept_graphs import graph_of

BACKENDS = {"ibp": Ibp(), "crown": Crown(), "crown-ibp": Crown(intermediate="ibp")}
BY_NAME = {network.name: network for network in NETWORKS}


def centers(network: Network, dtype: torch.dtype, seed: int = 1, batch: int = 3) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(batch, *network.shape, generator=draw, dtype=torch.float64).add(network.shift).to(dtype)


def points(module: nn.Module, low: Tensor, high: Tensor, seed: int = 2, count: int = 24) -> Tensor:
    """Corners, random points, and the ends of climbs of random rows of the output; [count, batch, *features]."""
    draw = torch.Generator().manual_seed(seed)
    share = torch.rand(count, *low.shape, generator=draw, dtype=low.dtype)
    share[: count // 3] = share[: count // 3].round()
    found = torch.lerp(low.expand_as(share), high.expand_as(share), share)
    found = torch.minimum(torch.maximum(found, low), high)
    climbing = found[-count // 3 :].flatten(0, 1).detach()
    below, above = (end.expand(count // 3, *end.shape).flatten(0, 1) for end in (low, high))
    rows = None
    for _ in range(4):
        climbing = climbing.clone().requires_grad_()
        outputs = module(climbing.clone())
        if rows is None:
            rows = torch.randn(outputs.shape, generator=draw, dtype=outputs.dtype)
        (slope,) = torch.autograd.grad((rows * outputs).sum(), climbing)
        climbing = torch.where(slope > 0, above, torch.where(slope < 0, below, climbing)).detach()
    return torch.cat([found, climbing.unflatten(0, (count // 3, low.shape[0]))])


def hold(module: nn.Module, region: Region, inputs: Tensor, only: str | None = None) -> None:
    """Raise unless bounds by every backend hold the values at inputs [count, batch, *features] of the region.

    Values are computed all at once, one by one, and in float64: a bound holds for any order of summation.
    """
    double = None if inputs.dtype is torch.float64 else as_double(module)
    with torch.no_grad():
        values = [module(inputs.flatten(0, 1).clone()).unflatten(0, inputs.shape[:2])]
        values.append(torch.stack([torch.cat([module(x[None].clone()) for x in some]) for some in inputs[::9]]))
        if double is not None:
            values.append(double(inputs.flatten(0, 1).double()).unflatten(0, inputs.shape[:2]))
        for name, backend in BACKENDS.items():
            if only not in (None, name):
                continue
            lower, upper = backend.bound(module, region, None)
            assert torch.isfinite(upper - lower).all(), name
            for found in values:
                assert bool((lower <= found).all()), (name, float((lower - found).max()))
                assert bool((found <= upper).all()), (name, float((found - upper).max()))


def as_double(module: nn.Module) -> nn.Module:
    import copy

    return copy.deepcopy(module).double()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["double", "single"])
@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_bounds_hold(network, dtype):
    module, center = network.module(dtype), centers(network, dtype)
    for radius in (0.0, 1e-7, 0.2):
        region = Region(center, radius)
        hold(module, region, points(module, *region.corners))


@pytest.mark.parametrize("norm", ["1", "2"])
@pytest.mark.parametrize("name", ["lstm", "shapes", "max-pool", "layer-norm", "numbers"])
def test_bounds_hold_in_balls(name, norm):
    network = BY_NAME[name]
    module, center = network.module(torch.float32), centers(network, torch.float32)
    draw = torch.Generator().manual_seed(3)
    away = torch.randn(64, *center.shape, generator=draw)
    size = torch.linalg.vector_norm(away.flatten(2), float(norm), 2).view(64, -1, *[1] * len(network.shape))
    hold(module, Region(center, 0.2, norm=norm), center + away / size * 0.2 * (1 - 1e-6))


LARGE = {
    "layer-norm": 1e4, "layer-norm-plain": 1e3, "layer-norm-2d": 1e3, "rms-norm": 1e4, "softmax-end": 300.0,
    "log-softmax": 300.0, "logits": 100.0, "gru": 30.0, "lstm": 30.0, "batch-norm": 1e5, "average-pool": 1e5,
    "constants": 1e5, "maxima": 1e4,
}  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["double", "single"])
@pytest.mark.parametrize("name", LARGE)
def test_rounding_of_large_inputs_is_covered(name, dtype):
    """Many points in tiny regions around large inputs, where what cancels is all rounding."""
    network = BY_NAME[name]
    module = network.module(dtype)
    for share in (1.0, 1e-3):
        # A common shift, which normalisation takes away again, and centres that differ by a part of it.
        center = LARGE[name] * (1 + share * centers(network, dtype, seed=5, batch=40))
        region = Region(center, 0.0)
        hold(module, region, region.center[None])


def test_layer_norm_of_equal_inputs():
    """Variance 0 but for rounding: the result is that rounding, over the root of eps."""
    module = nn.Sequential(nn.LayerNorm(16), nn.Linear(16, 4))
    for size in (1.0, 1e3, 3e5):
        center = torch.full((1, 16), size / 3)
        hold(module, Region(center, 0.0), center[None])
        noisy = center * (1 + 1e-7 * torch.randn(1, 16, generator=torch.Generator().manual_seed(0)))
        hold(module, Region(noisy, 0.0), noisy[None])


def test_a_network_that_mostly_rounds_is_still_known_again():
    """The kernel's result and the graph's differ by more than any fixed tolerance, but by no more than rounding."""
    module = nn.Sequential(nn.LayerNorm(64, eps=1e-12), nn.Linear(64, 2))
    draw = torch.Generator().manual_seed(1)
    center = 3000 + 1e-3 * torch.randn(1, 64, generator=draw)
    hold(module, Region(center, 0.0), center[None])


def test_interval_bounds_of_softmax_are_exact():
    """Each share is greatest where its own logit is at its greatest and all others at their least."""
    low = torch.tensor([[-1.0, 0.5, 2.0, -3.0]], dtype=torch.float64)
    high = low + torch.tensor([1.0, 0.2, 3.0, 0.0])
    region = Region.box(low, high)
    for module, function in ((nn.Softmax(-1), torch.softmax), (nn.LogSoftmax(-1), torch.log_softmax)):
        lower, upper = Ibp().bound(module, region, None)
        for place in range(4):
            mine = torch.arange(4) == place
            for least, most, found in ((low, high, upper), (high, low, lower)):
                value = function(torch.where(mine, most, least), -1)[0, place].item()
                assert found[0, place].item() == pytest.approx(value, rel=1e-12)


# Random compositions


class Composed(nn.Module):
    """Layers drawn one after the other; each takes a vector of six and gives one, some look back."""

    def __init__(self, kinds: list[str]) -> None:
        super().__init__()
        self.kinds = kinds
        self.linear = nn.ModuleList([nn.Linear(6, 6) for _ in kinds])
        self.conv = nn.ModuleList([nn.Conv1d(2, 2, 2, padding=1) for _ in kinds])
        self.norm = nn.ModuleList([nn.LayerNorm(6) for _ in kinds])
        self.batch = nn.ModuleList([nn.BatchNorm1d(6) for _ in kinds])
        for norm in self.batch:
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.3, 2.0)

    def forward(self, x: Tensor) -> Tensor:
        earlier = x
        for place, kind in enumerate(self.kinds):
            y = COMPONENTS[kind](self, place, x, earlier)
            earlier, x = x, y
        return x


COMPONENTS = {
    "linear": lambda m, i, x, e: m.linear[i](x),
    "relu": lambda m, i, x, e: F.relu(m.linear[i](x)),
    "tanh": lambda m, i, x, e: torch.tanh(m.linear[i](x)),
    "gelu": lambda m, i, x, e: F.gelu(m.linear[i](x)),
    "leaky": lambda m, i, x, e: F.leaky_relu(m.linear[i](x), 0.1),
    "abs": lambda m, i, x, e: m.linear[i](x).abs(),
    "residual": lambda m, i, x, e: e + F.relu(m.linear[i](x)),
    "product": lambda m, i, x, e: e * torch.sigmoid(m.linear[i](x)),
    "square": lambda m, i, x, e: 0.3 * (x * x) - e,
    "norm": lambda m, i, x, e: m.norm[i](x),
    "batch": lambda m, i, x, e: m.batch[i](x),
    "conv": lambda m, i, x, e: m.conv[i](x.view(x.shape[0], 2, 3))[:, :, :3].flatten(1),
    "pool": lambda m, i, x, e: torch.cat([F.max_pool1d(x.reshape(-1, 2, 3), 2, 1).flatten(1), e[:, ::3]], 1),
    "average": lambda m, i, x, e: x - F.avg_pool1d(x.unsqueeze(1), 3, 1, 1).squeeze(1),
    "maximum": lambda m, i, x, e: torch.maximum(m.linear[i](x), e),
    "softmax": lambda m, i, x, e: torch.softmax(2 * x, -1) + e,
    "centred": lambda m, i, x, e: (x - x.mean(1, keepdim=True)) / 2,
    "clamp": lambda m, i, x, e: x.clamp(-0.5, 1.0),
    "unit": lambda m, i, x, e: F.normalize(m.linear[i](x), dim=1),
    "deviation": lambda m, i, x, e: e - x.reshape(-1, 2, 3).std(1, keepdim=True).expand(-1, 2, 3).flatten(1),
    "by-hand": lambda m, i, x, e: x * torch.rsqrt(x.pow(2).mean(1, keepdim=True) + 1e-3),
    "turned": lambda m, i, x, e: torch.cat([x[:, 3:], e[:, [2, 0, 1]]], 1),
    "quotient": lambda m, i, x, e: e / (1.5 + torch.tanh(m.linear[i](x))),
    "logsumexp": lambda m, i, x, e: x - torch.logsumexp(x, 1, keepdim=True),
}


@settings(max_examples=60, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(sorted(COMPONENTS)), min_size=1, max_size=6),
    seed=st.integers(0, 2**20),
    radius=st.sampled_from([0.0, 1e-6, 0.01, 0.1, 0.5]),
    single=st.booleans(),
)
def test_bounds_of_random_compositions_hold(kinds, seed, radius, single):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = nn.Sequential(nn.Linear(3, 6), Composed(kinds)).eval()
        center = torch.randn(2, 3)
    dtype = torch.float32 if single else torch.float64
    region = Region(center.to(dtype), radius)
    module.to(dtype)
    inputs = points(module, *region.corners, seed=seed, count=12)
    if "quotient" not in kinds:
        hold(module, region, inputs)
        return
    for name in BACKENDS:
        try:
            hold(module, region, inputs, name)
        except RefusedError as error:
            if "reciprocal" not in str(error):  # bounds of a divisor may be so loose that it may be 0
                raise


# What is baked in and what is fetched

LIVE = {"constants", "batch-norm", "lstm", "layer-norm", "conv", "matrices", "indexing", "clamps", "beside-constants"}


@pytest.mark.parametrize("name", sorted(LIVE))
def test_bounds_follow_weights_in_place(name):
    network = BY_NAME[name]
    module, center = network.module(torch.float64), centers(network, torch.float64)
    before = [backend.bound(module, Region(center, 0.1), None)[0].detach() for backend in BACKENDS.values()]
    graph = graph_of(module, center)
    optimizer = torch.optim.SGD([part for part in module.parameters() if part.requires_grad] or [center], lr=0.1)
    loss = module(center).square().sum()
    if loss.requires_grad:
        loss.backward()
        optimizer.step()
        follow(module, network, before)
    for part in module.parameters():
        part.data.mul_(1.3)
        with torch.no_grad():
            part.add_(0.05)
    for part in module.buffers():
        if part.is_floating_point():
            part.mul_(1.1)
    follow(module, network, before)
    assert graph_of(module, center) is graph


def follow(module: nn.Module, network: Network, before: list[Tensor]) -> None:
    center = centers(network, torch.float64)
    region = Region(center, 0.1)
    hold(module, region, points(module, *region.corners))
    for backend, then in zip(BACKENDS.values(), before, strict=True):
        assert not torch.equal(backend.bound(module, region, None)[0], then)


def test_bounds_follow_what_is_replaced():
    def steps(m, x):
        return m.scale * m.layer(x) + m.shift

    module = Program(steps, scale=2.0, layer=nn.Linear(3, 3), shift=torch.zeros(3)).double()
    center = torch.randn(1, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    region = Region(center, 0.1)
    hold(module, region, points(module, *region.corners))
    for change in (
        lambda: setattr(module, "scale", 5.0),
        lambda: setattr(module.layer, "weight", nn.Parameter(-module.layer.weight)),
        lambda: setattr(module, "layer", nn.Linear(3, 3).double()),
        lambda: setattr(module, "shift", torch.ones(3, dtype=torch.float64)),
        lambda: setattr(module, "steps", lambda m, x: -m.layer(x)),
        lambda: setattr(module.layer, "bias", None),
    ):
        before = Ibp().bound(module, region, None)[0]
        change()
        hold(module, region, points(module, *region.corners))
        assert not torch.equal(Ibp().bound(module, region, None)[0], before)


@pytest.mark.parametrize("part", ["weight", "bias"])
@pytest.mark.parametrize("batch", [1, 40])
@pytest.mark.parametrize("backend", BACKENDS)
def test_data_of_other_sizes_or_types_is_noticed(backend, batch, part):
    """A compiled loop would read past it, or take it for something else."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3))
    region = Region(torch.zeros(batch, 4), 0.1)
    before, parameter = sparring.bound(module, region, BACKENDS[backend]), getattr(module[2], part)
    whole = parameter.data
    for other in (whole[:4], whole.double()):
        parameter.data = other
        with pytest.raises(RequestError):
            sparring.bound(module, region, BACKENDS[backend])
    parameter.data = whole
    assert all(map(torch.equal, before, sparring.bound(module, region, BACKENDS[backend])))


def test_a_module_is_left_as_it_is():
    """Tracing leaves constants behind in a double, and executes nothing in place on a buffer."""
    network = BY_NAME["constants"]
    module = network.module(torch.float64)
    state = {name: value.clone() for name, value in module.state_dict().items()}
    names = {path: sorted(part.__dict__) for path, part in module.named_modules()}
    center = centers(network, torch.float64)
    first = graph_of(module, center)
    Ibp().bound(module, Region(center, 0.1), None)
    assert {path: sorted(part.__dict__) for path, part in module.named_modules()} == names
    assert all(torch.equal(state[name], value) for name, value in module.state_dict().items())
    assert graph_of(module, center) is first


def test_plain_tensors_are_fetched_anew():
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.factor = torch.tensor([2.0, 3.0])  # no buffer

        def forward(self, x: Tensor) -> Tensor:
            return x * torch.exp(self.factor + 1)

    module, region = Scaled(), Region(torch.ones(1, 2), 0.5)
    hold(module, region, points(module, *region.corners))
    module.factor.add_(1.0)
    hold(module, region, points(module, *region.corners))


def test_a_graph_made_in_inference_mode_serves_training():
    for name in ("constants", "indexing", "beside-constants", "softmax", "max-pool-padding", "layer-norm"):
        network = BY_NAME[name]
        module, center = network.module(torch.float64), centers(network, torch.float64)
        with torch.inference_mode():
            Ibp().bound(module, Region(center, 0.1), None)
        for backend in BACKENDS.values():
            lower, upper = backend.bound(module, Region(center.requires_grad_(), 0.1), None)
            (upper - lower).sum().backward()
            assert bool(torch.isfinite(center.grad).all())


@pytest.mark.parametrize("batch", [1, 3, 7])
def test_graphs_serve_every_batch(batch):
    for name in ("shapes", "gru-two-steps", "beside-constants", "indexing"):
        network = BY_NAME[name]
        module, center = network.module(torch.float32), centers(network, torch.float32, batch=batch)
        region = Region(center, 0.1)
        hold(module, region, points(module, *region.corners))


# Gradients


SMOOTH = ("softmax", "layer-norm", "groups", "spreads", "unit-vectors", "gru", "lstm", "gates", "constants",
          "quotients", "silu", "max-pool", "logits", "unit-vector", "squares")  # fmt: skip


@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_agree_with_differences(name):
    network = BY_NAME[name]
    module = network.module(torch.float64)
    center = centers(network, torch.float64, batch=1)
    weights = list(module.parameters())
    draw = torch.Generator().manual_seed(8)
    for backend in BACKENDS.values():
        moved = [center.clone().requires_grad_(), *weights]

        def width(moved: list[Tensor] = moved, backend=backend) -> Tensor:
            lower, upper = backend.bound(module, Region(moved[0], 0.05), None)
            return (2 * upper - lower).sum()

        slopes = torch.autograd.grad(width(), moved, allow_unused=True)
        assert all(slope is None or bool(torch.isfinite(slope).all()) for slope in slopes)
        along = [torch.randn(part.shape, generator=draw, dtype=part.dtype) for part in moved]
        used = [pair for pair in zip(slopes, along, strict=True) if pair[0] is not None]
        expected = sum(float((slope * way).sum()) for slope, way in used)
        ends = []
        for step in (1e-6, -1e-6):
            with torch.no_grad():
                for part, way in zip(moved, along, strict=True):
                    part.add_(step * way)
                ends.append(float(width()))
                for part, way in zip(moved, along, strict=True):
                    part.sub_(step * way)
        assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(expected, rel=2e-3, abs=2e-3)


# Refusals


def _program(steps, **parts):
    return Program(steps, **parts)


def _used_after(m: nn.Module, x: Tensor) -> Tensor:
    y = x * 2
    z = y.view(-1, 4)
    z += 1
    return y + z


def _used_after_module(m: nn.Module, x: Tensor) -> Tensor:
    y = m.layer(x)
    return m.act(y) + y


def _counting(m: nn.Module, x: Tensor) -> Tensor:
    m.count += 1
    return x + m.count


def _two_inputs() -> nn.Module:
    class Two(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return x + y

    return Two()


def _hooked() -> nn.Module:
    layer = nn.Linear(4, 4)
    layer.register_forward_hook(lambda module, inputs, output: output + 1)
    return layer


def _patched() -> nn.Module:
    layer = nn.Linear(4, 4)
    layer.forward = lambda x: x  # type: ignore[method-assign]
    return layer


REFUSED = {
    "cumsum": (lambda: _program(lambda m, x: x.cumsum(1)), "no rule for method cumsum"),
    "sin": (lambda: _program(lambda m, x: torch.sin(x)), "no rule for sin"),
    "module": (lambda: nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.Mish())), "no rule for Mish at '1.0'"),
    "sum-all": (lambda: _program(lambda m, x: x + x.sum()), "no rule for method sum over the batch"),
    "mean-batch": (lambda: _program(lambda m, x: x - x.mean(0, keepdim=True)), "method mean along the batch"),
    "softmax-batch": (lambda: _program(lambda m, x: torch.softmax(x, 0)), "softmax along the batch"),
    "max-batch": (lambda: _program(lambda m, x: x - x.amax(0)), "method amax along the batch"),
    "max-all": (lambda: _program(lambda m, x: x - x.max()), "method max over the batch"),
    "cat-batch": (lambda: _program(lambda m, x: torch.cat([x, x])[:3]), "cat along the batch"),
    "flatten-batch": (lambda: nn.Flatten(0), "Flatten along the batch"),
    "index-batch": (lambda: _program(lambda m, x: x[:1]), "an index into the batch"),
    "transpose-batch": (lambda: _program(lambda m, x: x.transpose(0, 1)), "method transpose along the batch"),
    "view-batch": (lambda: _program(lambda m, x: x.view(-1, 2)), "method view that touches the batch"),
    "view-fixed": (lambda: _program(lambda m, x: x.view(3, 4)), "fixed batch of 3"),
    "batch-number": (lambda: _program(lambda m, x: x / x.shape[0]), "with the batch size"),
    "batch-product": (lambda: _program(lambda m, x: x.view(2 * x.shape[0], 2)), "mul of the batch size"),
    "matmul": (lambda: _program(lambda m, x: x[:, None] @ x[:, :, None]), "matmul of two values"),
    "weight-on-the-left": (lambda: _program(lambda m, x: m.w @ x[..., None], w=torch.ones(2, 4)), "on the right"),
    "power": (lambda: _program(lambda m, x: x**3), "pow with exponent 3"),
    "power-of": (lambda: _program(lambda m, x: 2**x), "pow with an exponent that is no fixed number"),
    "floor-division": (lambda: _program(lambda m, x: torch.div(x, 2, rounding_mode="floor")), "rounding_mode='floor'"),
    "dropout": (lambda: _program(lambda m, x: F.dropout(x, 0.5)), "dropout in training mode"),
    "dropout-module": (lambda: nn.Dropout(0.5), "Dropout in training mode"),
    "batch-norm": (lambda: nn.BatchNorm1d(4), "BatchNorm1d in training mode"),
    "batch-norm-blank": (lambda: nn.BatchNorm1d(4, track_running_stats=False).eval(), "it needs running statistics"),
    "argmax": (lambda: _program(lambda m, x: x.argmax(1)), "no rule for method argmax"),
    "indices": (lambda: _program(lambda m, x: x + x.max(1)[1][:, None]), "the place of a maximum"),
    "branch": (lambda: _program(lambda m, x: x if x.sum() > 0 else -x), "cannot be traced by torch.fx"),
    "used-after": (lambda: _program(_used_after), "used after an operation in place changed it"),
    "used-after-module": (lambda: _program(_used_after_module, layer=nn.Linear(4, 4), act=nn.ReLU(inplace=True)),
                          "used after an operation in place changed it"),
    "returned-after": (lambda: _program(lambda m, x: (x + 1, (y := x * 2), y.relu_(), y)[3]), "changed it"),
    "buffer-in-place": (lambda: _program(_counting, count=torch.zeros(4)), "in place on a value that does not depend"),
    "random": (lambda: _program(lambda m, x: x + 1e-9 * torch.rand_like(x.detach()[:, :])), "no rule for rand_like"),
    "noise": (lambda: _program(lambda m, x: x + 1e-7 * torch.rand(4)), "draws random numbers"),
    "type": (lambda: _program(lambda m, x: x.double()), "method double to torch.float64"),
    "promotion": (lambda: _program(lambda m, x: x * torch.ones(4, dtype=torch.float64)), "another type"),
    "two-inputs": (_two_inputs, "second input"),
    "two-outputs": (lambda: _program(lambda m, x: (x, x)), "must give one tensor"),
    "constant": (lambda: _program(lambda m, x: m.w, w=torch.ones(1, 4)), "must give one tensor"),
    "hook": (_hooked, "forward hooks"),
    "own-forward": (_patched, "forward of its own"),
    "list-of-numbers": (lambda: _program(lambda m, x: x[:, [True, False, True, False]]), "no list of whole numbers"),
    "two-lists": (lambda: _program(lambda m, x: x.view(-1, 2, 2)[:, [0, 1], [0, 1]]), "several lists"),
    "clamp-tensor": (lambda: _program(lambda m, x: x.clamp(min=m.w), w=torch.zeros(4)), "no fixed number"),
    "unfold": (lambda: _program(lambda m, x: x.unfold(1, 2, 1)), "no rule for"),
    "norm-order": (lambda: _program(lambda m, x: F.normalize(x, 3)), "normalize of order 3"),
    "norm-of-all": (lambda: _program(lambda m, x: x / x.norm()), "method norm over the batch"),
    "normalised-elsewhere": (
        lambda: _program(lambda m, x: F.normalize(x, out=torch.empty(3, 4))), "normalize into another tensor"),
    "norm-type": (lambda: _program(lambda m, x: x.norm(dim=1, dtype=torch.float64)), "norm in another type"),
    "matrix-norm": (lambda: _program(lambda m, x: torch.linalg.norm(x.view(-1, 2, 2), 2, (1, 2))), "of a matrix"),
    "variance-of-one": (lambda: _program(lambda m, x: x[:, :1].var(1)), "of 1 numbers with 1 taken away"),
    "gru": (lambda: _program(lambda m, x: m.g(x[:, None])[0][:, 0], g=nn.GRU(4, 4)), "no rule for GRU"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_rule_is_refused_in_one_line(name):
    make, line = REFUSED[name]
    with pytest.raises(RequestError, match=re.escape(line)) as caught:
        Ibp().bound(make(), Region(torch.ones(3, 4), 0.1), None)
    assert "\n" not in str(caught.value)


IMAGES = {
    "ceil-mode": (lambda: nn.MaxPool2d(2, dilation=2, ceil_mode=True), "MaxPool2d with ceil_mode and dilation"),
    "indices": (lambda: nn.MaxPool2d(2, return_indices=True), "MaxPool2d with return_indices"),
    "dilated-padding": (lambda: nn.MaxPool2d(3, padding=1, dilation=2), "padding and dilation"),
    "divisor": (lambda: nn.AvgPool2d(2, divisor_override=-3), "divisor_override=-3"),
    "adaptive": (lambda: nn.AdaptiveAvgPool2d(4), "windows of different sizes"),
    "padding-mode": (lambda: nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect"), "padding_mode='reflect'"),
    "same": (lambda: nn.Conv2d(2, 2, 2, padding="same"), "padding 'same', uneven here"),
    "upsample": (lambda: nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), "no rule for Upsample"),
    "transposed": (lambda: nn.ConvTranspose2d(2, 2, 2), "no rule for ConvTranspose2d"),
    "flat-pool": (lambda: nn.Sequential(nn.Flatten(1, 2), nn.MaxPool2d(2)), "MaxPool2d of 2 dimensions"),
    "flat-conv": (lambda: nn.Sequential(nn.Flatten(1, 2), nn.Conv2d(3, 2, 2)), "Conv2d of 2 dimensions"),
    "group-norm": (lambda: nn.Sequential(nn.Flatten(1, 2), nn.GroupNorm(5, 10)), "12 channels in 5 groups"),
    "instance-norm": (lambda: nn.InstanceNorm1d(2), "InstanceNorm1d of 3 dimensions for each sample"),
    "attention": (lambda: nn.Sequential(nn.Flatten(1, 2), nn.TransformerEncoderLayer(6, 1)), "at '1'"),
}


@pytest.mark.parametrize("name", IMAGES)
def test_options_without_a_rule_are_refused(name):
    make, line = IMAGES[name]
    with pytest.raises(RefusedError, match=re.escape(line)):
        Ibp().bound(make().eval(), Region(torch.ones(3, 2, 6, 6), 0.1), None)


@pytest.mark.parametrize(
    ("steps", "line"),
    [
        (lambda m, x: 1 / x, "reciprocal on"),
        (lambda m, x: x / (x + 0.05), "reciprocal on"),
        (lambda m, x: torch.log(x), "log on"),
        (lambda m, x: torch.sqrt(x), "sqrt on"),
        (lambda m, x: torch.rsqrt(x), "rsqrt on"),
    ],
)
@pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS)
def test_what_may_leave_a_domain_is_unknown(backend, steps, line):
    module = Program(steps)
    with pytest.raises(RefusedError, match=f"unknown: at '.*' {line}"):
        backend.bound(module, Region(torch.full((1, 3), 0.05), 0.2), None)
    lower, upper = backend.bound(module, Region(torch.full((1, 3), 1.0), 0.2), None)
    assert bool((lower <= module(torch.ones(1, 3))).all() & (module(torch.ones(1, 3)) <= upper).all())
