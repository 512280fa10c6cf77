"""Sparring's bounds against stored ones of another implementation, as each reference defines what is equal."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

pytest.importorskip("torch", reason="bounds need torch")
pytest.importorskip("safetensors", reason="the references are safetensors")

import torch
from torch import Tensor

import sparring
from golden_cases import SPECS, Reference, folders, network, references, tensors
from golden_networks import GoldenNetwork, attribute, golden_network
from sparring import Region

FOLDERS, REFERENCES = folders(), references()
pytestmark = pytest.mark.skipif(
    not FOLDERS, reason="neither SPARRING_SHARED nor a folder `shared` beside the checkout holds references"
)


def grouped(chosen: Iterable[Reference]) -> list[object]:
    """Tests of one network go to one worker, which makes the network once."""
    return [
        pytest.param(one, marks=pytest.mark.xdist_group(one.folder.name), id=str(one))
        for one in chosen
    ]  # fmt: skip


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_network_computes_what_is_stored(folder):
    stored = tensors(folder)
    assert torch.allclose(network(folder)(stored["x"]), stored["y"], rtol=0, atol=1e-14)


@pytest.mark.parametrize("reference", grouped(REFERENCES))
@torch.no_grad()
def test_bounds_are_equal_as_the_reference_defines_it(reference):
    region = reference.region(tensors(reference.folder)["x"])
    module, spec = network(reference.folder), reference.stored("C")
    lower, upper = sparring.bound(module, region, SPECS[reference.method], spec)
    hold_the_attacks(reference, lower, upper)
    if reference.compare["mode"] != "sound_only":
        agree(reference, lower, upper)
    if reference.method.startswith("alpha"):
        plain = sparring.bound(module, region, "crown", spec)
        assert (upper - lower).mean() <= (plain[1] - plain[0]).mean()
        no_looser(reference, lower, upper)


@pytest.mark.parametrize("reference", grouped(REFERENCES))
@torch.no_grad()
def test_bounds_in_single_precision_hold_the_attacks(reference):
    spec = reference.stored("C")
    lower, upper = sparring.bound(
        network(reference.folder, torch.float32), reference.wide_region(), SPECS[reference.method],
        None if spec is None else spec.float(),
    )  # fmt: skip
    assert lower.dtype == torch.float32
    hold_the_attacks(reference, lower.double(), upper.double())


def hold_the_attacks(reference: Reference, lower: Tensor, upper: Tensor) -> None:
    """What an attack reached lies inside, to the last digit: rounding is accounted for."""
    found = [reference.stored(f"attack_{side}") for side in ("lb", "ub")]
    assert found[0] is not None
    assert found[1] is not None
    assert bool((lower <= found[0]).all())
    assert bool((found[1] <= upper).all())


def agree(reference: Reference, lower: Tensor, upper: Tensor) -> None:
    """Raise unless the bounds are equal to the stored ones in the sense of the file."""
    compare, stored = reference.compare, [reference.tensor(side) for side in ("lb", "ub")]
    assert stored[0] is not None
    assert stored[1] is not None
    if compare["mode"] == "equal":
        for ours, theirs in ((lower, stored[0]), (upper, stored[1])):
            off = ((ours - theirs).abs() / theirs.abs().clamp(min=1)).max().item()
            assert off <= compare["rtol"]
        return
    width = ((upper - lower).mean() / (stored[1] - stored[0]).mean()).item()
    assert compare["mode"] in ("near", "not_looser")
    assert width <= 1 + compare.get("max_looser_pct", 0) / 100 + compare.get("rtol", 0)
    if compare["mode"] == "near":
        assert width >= 1 - compare["max_tighter_pct"] / 100


def no_looser(reference: Reference, lower: Tensor, upper: Tensor) -> None:
    """Optimised bounds may be looser by what the file allows, but at as many steps they are not."""
    stored = [reference.tensor(side) for side in ("lb", "ub")]
    if stored[0] is not None and stored[1] is not None:
        assert (upper - lower).mean() <= (stored[1] - stored[0]).mean()


WITH_GRADIENTS = [reference for reference in REFERENCES if reference.gradients]


@pytest.mark.parametrize("reference", grouped(WITH_GRADIENTS))
def test_gradients_of_the_width_are_right(reference):
    module = golden_network(reference.folder)
    center = tensors(reference.folder)["x"].clone().requires_grad_()
    learned = {"x": center, **{name: bias(module, name) for name in reference.gradients if name != "x"}}
    for part in learned.values():
        part.requires_grad_()
    found = torch.autograd.grad(width(module, reference, center), list(learned.values()), allow_unused=True)
    ours = {
        name: torch.zeros_like(part) if gradient is None else gradient
        for (name, part), gradient in zip(learned.items(), found, strict=True)
    }
    if reference.piecewise_linear or reference.method == "ibp":
        for name, stored in reference.gradients.items():
            off = (ours[name] - stored).abs().max().item()
            assert off <= 1e-6 * max(stored.abs().max().item(), 1e-3), name
    else:
        # The stored ones take tangent points, which move with the bounds, for constants: nothing to compare with.
        follow_the_slope(module, reference, learned, ours)


def bias(module: GoldenNetwork, name: str) -> Tensor:
    return module.get_parameter(attribute(name))


def width(module: GoldenNetwork, reference: Reference, center: Tensor) -> Tensor:
    """The sum that the stored gradients are of."""
    region = Region(center, reference.about["eps"], norm=str(reference.about["norm"]))
    lower, upper = sparring.bound(module, region, SPECS[reference.method], reference.stored("C"))
    return (upper - lower).sum()


def follow_the_slope(
    module: GoldenNetwork, reference: Reference, learned: dict[str, Tensor], gradients: dict[str, Tensor]
) -> None:
    """Compare with the change along random directions, in all that is learned at once.

    Bounds have kinks, and where one lies between the ends of a difference a shorter one must do.
    """
    draw = torch.Generator().manual_seed(41)
    for _ in range(3):
        along = {name: torch.randn(part.shape, generator=draw, dtype=part.dtype) for name, part in learned.items()}
        expected = sum((gradients[name] * along[name]).sum().item() for name in learned)
        off = []
        for step in (1e-6, 1e-7):
            ahead, behind = (shifted(module, reference, learned, along, way) for way in (step, -step))
            off.append(abs((ahead - behind) / (2 * step) - expected))
        assert min(off) <= 1e-5 * max(abs(expected), 0.1)


def shifted(
    module: GoldenNetwork, reference: Reference, learned: dict[str, Tensor], along: dict[str, Tensor], step: float
) -> float:
    """The width with everything moved along, put back afterwards."""
    before = {name: part.detach().clone() for name, part in learned.items()}
    with torch.no_grad():
        for name, part in learned.items():
            part.add_(step * along[name])
        moved = width(module, reference, learned["x"].detach()).item()
        for name, part in learned.items():
            part.copy_(before[name])
    return moved
