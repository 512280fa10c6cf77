"""The references: cases, regions, and what each file defines as equal."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from golden_networks import GoldenNetwork, golden_network
from sparring import Region

SPECS = {
    "ibp": "ibp",
    "crown": "crown",
    "crown_ibp": "crown-ibp",
    "forward": "forward",
    "forward_crown": "crown(intermediate=forward)",
    "alpha_crown": "alpha-crown(steps=20)",
    "alpha_crown_fixed_interm": "alpha-crown(steps=20,intermediate=fixed)",
    "crown_same_slope": "crown(slope=same)",
    "crown_zero_lb": "crown(slope=zero)",
    "crown_one_lb": "crown(slope=one)",
    "crown_dense": "crown",
}
"""Sparring's name for each method of the references."""

PIECEWISE_LINEAR = {"relu", "leaky_relu", "linear", "conv2d", "conv1d", "flatten", "mean", "add", "sub", "avgpool2d"}


@dataclass(frozen=True)
class Reference:
    """One method on one case of one network."""

    folder: Path
    case: str
    method: str

    def __str__(self) -> str:
        return f"{self.folder.name}-{self.case}-{self.method}"

    @cached_property
    def about(self) -> dict[str, Any]:
        """The case in `golden.json`."""
        return next(case for case in document(self.folder)["cases"] if case["id"] == self.case)

    @property
    def bounds(self) -> dict[str, Any]:
        """What `golden.json` says of the method."""
        found: dict[str, Any] = self.about["bounds"][self.method]
        return found

    @property
    def compare(self) -> dict[str, Any]:
        """What 'equal' means here; where the reference has no bounds it can only be sound."""
        return self.bounds["compare"] if self.tensor("lb") is not None else {"mode": "sound_only"}

    def stored(self, name: str) -> Tensor | None:
        """A tensor of the case."""
        return tensors(self.folder).get(f"{self.case}/{name}")

    def tensor(self, name: str) -> Tensor | None:
        """A tensor of the method."""
        return self.stored(f"{self.method}/{name}")

    @property
    def gradients(self) -> dict[str, Tensor]:
        """Stored gradients of `sum(ub - lb)` by what they are of: `x`, or the name of a bias."""
        found = {"x": self.tensor("grad_x")}
        start = f"{self.case}/{self.method}/grad/"
        found |= {key.removeprefix(start): value for key, value in tensors(self.folder).items() if start in key}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def piecewise_linear(self) -> bool:
        """Whether nothing in the network is curved, so that relaxations have no tangent points."""
        return {node.op for node in network(self.folder).nodes} <= PIECEWISE_LINEAR

    def region(self, center: Tensor) -> Region:
        """The region around the inputs, [batch, *features] in float64."""
        norm, radius = self.about["norm"], self.stored("eps")
        radius = self.about.get("eps") if radius is None else radius
        low, high = self.stored("x_L"), self.stored("x_U")
        if low is not None and high is not None:
            if radius is None or not torch.equal(center.detach() - radius, low):
                return Region.box(low, high)
            assert torch.equal(center.detach() + radius, high)
        return Region(center, radius, norm=str(norm))  # type: ignore[arg-type]  # one of the three

    def wide_region(self) -> Region:
        """The region in float32, a little wider, so that it holds the float64 inputs of the attacks."""
        low, high = self.stored("x_L"), self.stored("x_U")
        inputs = tensors(self.folder)["x"]
        if low is not None and high is not None:
            ends = (torch.nextafter(end.float(), torch.full((), away)) for end, away in ((low, -9e9), (high, 9e9)))
            return Region.box(*ends)
        assert torch.equal(inputs.float().double(), inputs)
        return Region(inputs.float(), self.about["eps"] * (1 + 1e-6), norm=str(self.about["norm"]))  # type: ignore[arg-type]


def folders() -> list[Path]:
    """Folders of reference networks, where they are at hand."""
    named = os.environ.get("SPARRING_SHARED")
    shared = Path(named) if named is not None else Path(__file__).resolve().parent.parent.parent / "shared"
    return sorted(path.parent for path in (shared / "goldens").glob("*/golden.json"))


def references() -> list[Reference]:
    """Every method on every case of every network."""
    return [
        Reference(folder, case["id"], method)
        for folder in folders()
        for case in document(folder)["cases"]
        for method in case["bounds"]
    ]


@cache
def document(folder: Path) -> dict[str, Any]:
    """`golden.json`."""
    found: dict[str, Any] = json.loads((folder / "golden.json").read_text())
    return found


@cache
def tensors(folder: Path) -> dict[str, Tensor]:
    """`golden.safetensors`."""
    with safe_open(folder / "golden.safetensors", "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  # it is no mapping


@cache
def network(folder: Path, dtype: torch.dtype = torch.float64) -> GoldenNetwork:
    """The network, made once for all tests; nobody may change it."""
    return golden_network(folder, dtype)
