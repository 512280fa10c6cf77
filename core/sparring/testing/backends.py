"""Bound backends: they bound small networks, and a search tries to find outputs outside of the bounds."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from sparring.bounds import BoundBackend, Region
from sparring.testing.bench import Bench, Done, Inputs, Setting
from sparring.testing.check import CheckUnable

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["BackendBench", "bound_contains_what_is_found", "bounds_are_ordered"]

SAMPLES, STEPS = 400, 40
SLACK = 1e-5
"""For single precision."""


@dataclass(frozen=True, eq=False)
class BackendBench(Bench):
    """Lets one backend bound small networks over balls of three norms, boxes and points."""

    def settings(self) -> list[Setting]:
        """Networks, regions and specifications."""
        if importlib.util.find_spec("torch") is None:
            raise CheckUnable("torch is not installed: pip install 'sparring[torch]'")
        regions = {"inf ball": _ball("inf", 0.3), "2 ball": _ball("2", 0.5), "1 ball": _ball("1", 0.8),
                   "clipped box": _clipped, "box": _box, "point": _ball("inf", 0.0),
                   "centres outside of the domain": _outside, "a radius for each sample": _own_radii,
                   "a radius for each feature": _wide_and_narrow}  # fmt: skip
        specs = {"outputs": _no_spec, "margins": _margins, "margins of each sample": _own_margins}
        return [
            Setting(f"{name}, {spec}", None, partial(self._run, region, specs[spec]))
            for name, region in regions.items()
            for spec in (specs if name == "inf ball" else ("outputs",))
        ]

    def _run(self, region: Callable[[], Region], spec: Callable[[], Tensor | None], seed: int) -> Done:
        backend = self.subject.make()
        assert isinstance(backend, BoundBackend)
        module, where, rows = _network(), region(), spec()
        inputs = Inputs(module=module, center=where.center, spec=rows)
        low, high = backend.bound(module, where, rows)
        return Done((low, high), inputs, raw=(module, where, rows, low, high))


def _network() -> nn.Module:
    import torch

    # Seeded apart from the global generator, which checks watch.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(37)
        return torch.nn.Sequential(
            torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 6), torch.nn.ReLU(), torch.nn.Linear(6, 4)
        ).eval()


def _centers() -> Tensor:
    import torch

    return torch.rand(5, 3, generator=torch.Generator().manual_seed(38)) * 2 - 1


def _ball(norm: Any, radius: float) -> Callable[[], Region]:
    return lambda: Region(_centers(), radius, norm)


def _clipped() -> Region:
    return Region(_centers() * 0.5, 0.6, low=-0.7, high=0.7)


def _outside() -> Region:
    return Region(_centers() * 2.0, 0.4, low=-0.5, high=0.6)


def _own_radii() -> Region:
    import torch

    return Region(_centers(), torch.linspace(0.1, 0.5, 5), "2")


def _wide_and_narrow() -> Region:
    import torch

    return Region(_centers(), torch.tensor([0.3, 0.0, 0.1]))


def _box() -> Region:
    return Region.box(_centers() - 0.1, _centers() + _centers().abs())


def _no_spec() -> None:
    return None


def _margins() -> Tensor:
    import torch

    return torch.eye(4)[:1] - torch.eye(4)[1:]


def _own_margins() -> Tensor:
    import torch

    return torch.stack([torch.eye(4)[[place % 4]] - torch.eye(4)[[(place + 1) % 4]] for place in range(5)])


def bounds_are_ordered(bench: BackendBench) -> None:
    """Bounds have one row a sample and one column an output or specification, are finite, and lower is not above."""
    import torch

    for setting, done in bench.performed:
        module, region, rows, low, high = done.raw
        wanted = _outputs(module, region.center, rows).shape
        finite = bool(torch.isfinite(low).all()) and bool(torch.isfinite(high).all())
        if low.shape != wanted or high.shape != wanted:
            cause = f"its bounds have shapes {list(low.shape)} and {list(high.shape)}, expected {list(wanted)}"
        elif not finite or bool((low > high).any()):
            cause = "its bounds are not finite numbers, or a lower one lies above the upper one"
        else:
            continue
        raise bench.subject.failure(cause, "return two tensors [batch, rows] as BoundBackend.bound says", setting.label)


def bound_contains_what_is_found(bench: BackendBench) -> None:
    """Nothing that sampling or gradient search finds in the region lies outside of the bounds."""
    for setting, done in bench.performed:
        module, region, rows, low, high = done.raw
        for inputs in (_sampled(region), *_searched(module, region, rows)):
            values = _outputs(module, inputs, rows)
            below, above = (low - values).detach(), (values - high).detach()
            excess = float(below.clamp(min=0).max()) + float(above.clamp(min=0).max())
            if excess > SLACK:
                raise bench.subject.failure(
                    f"an input of the region gives a value {excess:.3g} outside of the bounds",
                    "the bound is not sound: look at the relaxation of each operation, and at the region's norm",
                    setting.label,
                )


def _outputs(module: Any, inputs: Tensor, rows: Tensor | None) -> Tensor:
    """`spec @ module(x)`, [batch, rows] or [samples, batch, rows]."""
    import torch

    found: Tensor = module(inputs)
    if rows is None:
        return found.detach() if not inputs.requires_grad else found
    pattern = "rk,...bk->...br" if rows.dim() == 2 else "brk,...bk->...br"
    return torch.einsum(pattern, rows, found)


def _inside(region: Region, inputs: Tensor) -> Tensor:
    """Points moved into the region: onto its ball, then into the box around it, which the domain has cut."""
    import torch

    from sparring.projection import project_ball

    if region.norm != "inf":
        center, radius = region.ball_center, region.ball_radius
        change = project_ball((inputs - center).detach().double().numpy(), radius.double().numpy(), region.norm)
        inputs = center + torch.as_tensor(change, dtype=center.dtype)
    return inputs.clamp(*region.corners)


def _reach(region: Region) -> Tensor:
    """How far the region stretches to either side of its middle, [batch, features]."""
    low, high = region.corners
    return (high - low) / 2


def _sampled(region: Region) -> Tensor:
    """Random points of the region, its corners among them, [samples, batch, features]."""
    import torch

    draw = torch.Generator().manual_seed(39)
    inner = torch.rand(SAMPLES, *region.center.shape, generator=draw) * 2 - 1
    away = torch.cat([inner, inner.sign()]) * _reach(region) * (1 + 1e-3)
    low, high = region.corners
    return _inside(region, (low + high) / 2 + away)


def _searched(module: Any, region: Region, rows: Tensor | None) -> list[Tensor]:
    """Where projected gradient steps lead that lower, or raise, each output."""
    import torch

    columns = _outputs(module, region.center, rows).shape[-1]
    found = []
    for column in range(columns):
        for sign in (-1.0, 1.0):
            inputs = _inside(region, region.center)
            for _ in range(STEPS):
                inputs.requires_grad_(True)
                (gradient,) = torch.autograd.grad(sign * _outputs(module, inputs, rows)[:, column].sum(), inputs)
                inputs = _inside(region, inputs.detach() + 0.2 * _reach(region) * gradient.sign()).detach()
            found.append(inputs)
    return found
