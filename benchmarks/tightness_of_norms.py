"""How tight bounds of residual blocks with layer normalisation are, beside auto_LiRPA's, in double precision.

Mean widths are given as shares of the peer's: the geometric mean over networks, the least and the greatest.
`SPARRING_AUTO_LIRPA` names a folder with an installed auto_LiRPA (0.6 or later).

    python benchmarks/tightness_of_norms.py [--seeds 5] [--out docs/results/tightness-of-norms.json]
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor, nn

import sparring
from _recording import record
from sparring import Region

METHODS = {"ibp": "IBP", "crown-ibp": "CROWN-IBP", "crown": "CROWN", "forward": "forward"}
RADII = (0.005, 0.02, 0.1, 0.3, 1.0)
ORDERS = ("before", "between", "behind", "at the end", "alone", "on a sum")
WIDE, BATCH = 16, 3


class Block(nn.Module):
    """A residual block with layer normalisation at one of six places."""

    def __init__(self, order: str) -> None:
        super().__init__()
        self.norm, self.first, self.second = nn.LayerNorm(WIDE), nn.Linear(WIDE, WIDE), nn.Linear(WIDE, WIDE)
        self.order = order

    def forward(self, x: Tensor) -> Tensor:
        """What goes on from the block."""
        if self.order == "before":
            return x + self.second(torch.relu(self.first(self.norm(x))))
        if self.order == "between":
            return x + self.second(torch.relu(self.norm(self.first(x))))
        if self.order == "behind":
            return x + self.norm(self.second(torch.relu(self.first(x))))
        if self.order == "at the end":
            return self.norm(x + self.second(torch.relu(self.first(x))))
        if self.order == "alone":
            return x + self.norm(torch.relu(self.first(x)))
        return torch.relu(self.norm(x + self.first(x)))


def widths(module: nn.Module, region: Region, method: str) -> tuple[float, float]:
    """Mean widths of ours and of the peer's."""
    with torch.no_grad():
        both = (sparring.bound(module, region, name) for name in (method, f"auto-lirpa(method={METHODS[method]})"))
        ours, theirs = ((high - low).mean().item() for low, high in both)
    return ours, theirs


def main() -> None:
    """Compare all blocks at all radii."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5, help="networks of each kind (default 5)")
    parser.add_argument("--out", type=Path, help="where to write the figures")
    options = parser.parse_args()
    peer = os.environ.get("SPARRING_AUTO_LIRPA")
    if peer is None:
        parser.exit(2, "SPARRING_AUTO_LIRPA names no folder with auto_LiRPA: nothing to compare with\n")
    sys.path.append(peer)
    found = []
    for radius, method in itertools.product(RADII, METHODS):
        shares = []
        for order, seed in itertools.product(ORDERS, range(options.seeds)):
            torch.manual_seed(seed)
            module = nn.Sequential(nn.Linear(8, WIDE), Block(order), nn.Linear(WIDE, 4)).double().eval()
            ours, theirs = widths(module, Region(torch.randn(BATCH, 8).double(), radius), method)
            shares.append(ours / theirs)
        mean = torch.tensor(shares).log().mean().exp().item()
        row = {"radius": radius, "method": method, "mean": mean, "least": min(shares), "greatest": max(shares)}
        print(" ".join(f"{name} {part:.4f}" if isinstance(part, float) else part for name, part in row.items()))
        found.append(row)
    record(options.out, {"auto_LiRPA": version("auto_LiRPA"), "networks": len(ORDERS) * options.seeds, "shares": found})


if __name__ == "__main__":
    main()
