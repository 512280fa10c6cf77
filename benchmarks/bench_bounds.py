"""Bound propagation beside auto_LiRPA, in one process, one thread, single precision, same networks and regions.

Every figure is the least of several rounds, taken in turns, so that a busy moment of the machine falls on both; the
ratio of medians stands beside that of the least, and a method's width is given as a share of the peer's.
`SPARRING_AUTO_LIRPA` names a folder with an installed auto_LiRPA (0.6 or later); without one the peer is left out.

    python benchmarks/bench_bounds.py [--only tanh,relu,dqn] [--rounds 20] [--alpha] [--out docs/results/bounds.json]
"""

from __future__ import annotations

import argparse
import copy
import os
import resource
import sys
import time
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

import sparring
from _recording import record
from sparring import Region

PEER = os.environ.get("SPARRING_AUTO_LIRPA")
METHODS = {"ibp": "IBP", "crown-ibp": "CROWN-IBP", "crown": "CROWN"}
BATCHES = (1, 64, 1024)
SHORTEST = 1.0
"""Seconds that the rounds of one comparison take at least: short calls need many to meet a quiet moment."""
BUILDS = 10
LONGEST = 30.0
"""Seconds that they may take; at least one is made."""


class Dueling(nn.Module):
    """A narrow dueling Q-network for frames of 84 x 84."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 8, 4), nn.ReLU(), nn.Conv2d(8, 16, 4, 2), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.ReLU(),
            nn.Flatten(),
        )  # fmt: skip
        self.value = nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 1))
        self.advantage = nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 6))

    def forward(self, x: Tensor) -> Tensor:
        """Q-values."""
        found = self.body(x)
        advantage = self.advantage(found)
        return advantage - advantage.mean(1, keepdim=True) + self.value(found)


def _tanh() -> nn.Module:
    return nn.Sequential(nn.Linear(11, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 3))


def _relu() -> nn.Module:
    return nn.Sequential(nn.Linear(17, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 6))


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], float]] = {
    "tanh": (_tanh, (11,), 0.05),
    "relu": (_relu, (17,), 0.05),
    "dqn": (Dueling, (1, 84, 84), 1 / 510),
}


class Peer:
    """auto_LiRPA on one network and batch."""

    def __init__(self, module: nn.Module, inputs: Tensor, radius: float) -> None:
        from auto_LiRPA import BoundedModule, BoundedTensor
        from auto_LiRPA.perturbations import PerturbationLpNorm

        start = time.perf_counter()
        self._module = BoundedModule(module, torch.empty_like(inputs), device="cpu")
        self.built = time.perf_counter() - start
        self._inputs = BoundedTensor(inputs, PerturbationLpNorm(norm=float("inf"), eps=radius))

    def bound(self, method: str, steps: int = 20) -> tuple[Tensor, Tensor]:
        """Bounds by one of its methods."""
        self._module.set_bound_opts({"optimize_bound_args": {"iteration": steps, "lr_alpha": 0.1}})
        return self._module.compute_bounds(x=(self._inputs,), method=method)


class Times(NamedTuple):
    """Least seconds of each of two, and how many times as long as the first the second takes in the median."""

    ours: float
    theirs: float | None
    typical: float | None


def times(ours: list[float], theirs: list[float]) -> Times:
    """Of rounds of both; of the second there may be none."""
    if not theirs:
        return Times(min(ours), None, None)
    return Times(min(ours), min(theirs), median(theirs) / median(ours))


def alternating(ours: Callable[[], Any], theirs: Callable[[], Any] | None, rounds: int) -> Times:
    """A round of the one after a round of the other."""
    calls = [ours] if theirs is None else [ours, theirs]
    taken: list[list[float]] = [[], []]
    begun = time.perf_counter()
    spent = 0.0
    while spent <= LONGEST and (spent < SHORTEST or len(taken[0]) < rounds):
        for found, call in zip(taken, calls, strict=False):
            start = time.perf_counter()
            call()
            found.append(time.perf_counter() - start)
        spent = time.perf_counter() - begun
    return times(*taken)


def _row(name: str, taken: Times, width: float | None) -> dict[str, Any]:
    ours, theirs, typical = taken
    ratio = None if theirs is None else theirs / ours
    said = ""
    if theirs is not None:
        said = f"  peer {theirs * 1e3:9.2f} ms  {ratio:6.1f}x  median {typical:6.1f}x  width {width:.4f}"
    print(f"{name:34s} {ours * 1e3:9.3f} ms{said}", flush=True)
    peer = None if theirs is None else theirs * 1e3
    return {"ms": ours * 1e3, "peer_ms": peer, "ratio": ratio, "ratio_of_medians": typical, "width": width}


def _bare(name: str, module: nn.Module, batch: int, rounds: int, trained: bool) -> float:
    """Milliseconds of `products`, without which nothing is bounded so."""
    bare = alternating(products(module, batch, trained), None, rounds).ours
    print(
        f"{name} {batch} products of rows alone{' with gradient' if trained else ''} {bare * 1e3:9.3f} ms", flush=True
    )
    return bare * 1e3


def _beside_arithmetic(row: dict[str, Any], module: nn.Module, batch: int, rows: bool, trained: bool) -> None:
    """Note what the multiplications alone would take at the processor's peak, as it is now."""
    row["arithmetic_ms"] = multiplications(module, batch, rows, trained) / peak() * 1e3
    print(f"{'':34s} {row['arithmetic_ms']:9.3f} ms at the processor's peak", flush=True)


def multiplications(module: nn.Module, batch: int, rows: bool, trained: bool) -> int:
    """Of boxes, and of rows of all outputs and their negatives, with and without gradients."""
    sizes = [layer.weight.numel() for layer in module.modules() if isinstance(layer, nn.Linear)]
    outputs = [layer.out_features for layer in module.modules() if isinstance(layer, nn.Linear)][-1]
    found = 2 * sum(sizes) + (2 * outputs * sum(sizes[:-1]) if rows else 0)
    if trained:  # each product has two more for its gradients, but in inputs
        found = 3 * found - 2 * sizes[0]
    return found * batch


def peak() -> float:
    """Multiplications a second of tiles that stay in the nearest cache."""
    return max(_tiles()() for _ in range(5))


@cache
def _tiles() -> Callable[[], float]:
    from numba import njit

    from sparring_plugins.propagation.kernels.tiles import product, register

    size, (count, depth, columns, times) = 4, (12, 256, 2 * register() // 4, 2000)
    rows, matrix, out = torch.rand(count, depth), torch.rand(depth, columns), torch.zeros(count, columns)
    places, wide, one = np.arange(depth) * columns, register(), np.float32(1)

    @njit
    def repeated(rows: int, matrix: int, out: int, places: int, one: Any) -> None:
        for _ in range(times):
            product(rows, matrix, out, count, depth, columns, places, (depth, columns, 1), wide, size, False, True, one)

    def measured() -> float:
        start = time.perf_counter()
        repeated(rows.data_ptr(), matrix.data_ptr(), out.data_ptr(), places.ctypes.data, one)
        return count * depth * columns * times / (time.perf_counter() - start)

    measured()
    return measured


def _width(bounds: tuple[Tensor, Tensor]) -> float:
    return float((bounds[1] - bounds[0]).detach().mean())


def compared(name: str, batch: int, rounds: int, alpha: bool) -> dict[str, Any]:
    """All methods on one network and batch size."""
    make, shape, radius = NETWORKS[name]
    torch.manual_seed(0)
    module, inputs = make().eval(), torch.rand(batch, *shape)
    peer = Peer(module, inputs, radius) if PEER else None
    found: dict[str, Any] = {}
    found["build"] = _built(name, module, inputs, radius)
    for method, other in METHODS.items():
        if name == "dqn" and method == "crown" and batch > 64:
            continue

        def ours(method: str = method) -> tuple[Tensor, Tensor]:
            return sparring.bound(module, Region(inputs, radius), method=method)

        theirs = None if peer is None else (lambda other=other: peer.bound(other))
        with torch.no_grad():
            share = _width(ours()) / _width(theirs()) if theirs else None
            found[method] = _row(f"{name} {batch} {method}", alternating(ours, theirs, rounds), share)
            if name != "dqn" and method == "crown-ibp":
                found[method]["products_ms"] = _bare(name, module, batch, rounds, trained=False)
            if name != "dqn" and method != "crown":
                _beside_arithmetic(found[method], module, batch, method == "crown-ibp", trained=False)
        if name != "dqn" and batch == 1024 and method != "crown":
            found[f"{method} training"] = _row(
                f"{name} {batch} {method} with gradient",
                alternating(_trained(module, ours), None if theirs is None else _trained(module, theirs), rounds),
                share,
            )
            if method == "crown-ibp":
                found[f"{method} training"]["products_ms"] = _bare(name, module, batch, rounds, trained=True)
            _beside_arithmetic(found[f"{method} training"], module, batch, method == "crown-ibp", trained=True)
    if alpha and name != "dqn" and batch <= 64:
        found["alpha-crown"] = _alpha(name, batch, module, inputs, radius, peer)
    found["peak_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


def _built(name: str, module: nn.Module, inputs: Tensor, radius: float) -> dict[str, Any]:
    """The graph alone, of copies that neither has met."""
    from sparring_plugins.propagation.kept_graphs import graph_of

    ours, theirs = [], []
    for _ in range(BUILDS):
        fresh, other = copy.deepcopy(module), copy.deepcopy(module)
        start = time.perf_counter()
        graph_of(fresh, inputs)
        ours.append(time.perf_counter() - start)
        if PEER:
            theirs.append(Peer(other, inputs, radius).built)
    return _row(f"{name} {len(inputs)} build", times(ours, theirs), 1.0)


def products(module: nn.Module, batch: int, trained: bool) -> Callable[[], None]:
    """The matrix products of rows alone that a backward pass cannot do without, and with gradients their two more.

    Rows and their negatives part at the last curve, so that each layer below it takes two rows an output and sample.
    """
    *layers, last = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    pairs = [(layer.weight.detach(), torch.rand(2 * last.out_features * batch, layer.out_features)) for layer in layers]

    def call() -> None:
        for weight, rows in pairs:
            moved = rows @ weight
            if trained:
                moved @ weight.T
                rows.T @ moved

    return call


def _trained(module: nn.Module, bound: Callable[[], tuple[Tensor, Tensor]]) -> Callable[[], None]:
    def call() -> None:
        module.zero_grad()
        low, high = bound()
        (high - low).sum().backward()

    return call


def _alpha(
    name: str, batch: int, module: nn.Module, inputs: Tensor, radius: float, peer: Peer | None
) -> dict[str, Any]:
    """As many steps of ours as it takes to come to the width of twenty of the peer's."""
    goal = None if peer is None else _width(peer.bound("CROWN-Optimized"))
    for steps in (1, 2, 3, 5, 8, 12, 20):
        method = f"alpha-crown(steps={steps})"
        width = _width(sparring.bound(module, Region(inputs, radius), method=method))
        if goal is None or width <= goal:
            break
    taken = alternating(
        lambda: sparring.bound(module, Region(inputs, radius), method=method),
        None if peer is None else lambda: peer.bound("CROWN-Optimized"),
        3,
    )
    row = _row(f"{name} {batch} {method}", taken, None if goal is None else width / goal)
    return {**row, "steps": steps, "peer_steps": 20}


def main() -> None:
    """Compare and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(NETWORKS))
    parser.add_argument("--batches", default=",".join(map(str, BATCHES)))
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--alpha", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    if PEER:
        sys.path.insert(0, PEER)
        import auto_LiRPA

        print(f"auto_LiRPA {auto_LiRPA.__version__}")
    else:
        print("SPARRING_AUTO_LIRPA names no folder: no peer")
    found = {
        name: {batch: compared(name, int(batch), options.rounds, options.alpha) for batch in options.batches.split(",")}
        for name in options.only.split(",")
    }
    record(options.out, {"threads": 1, "dtype": "float32", "figures": found})


if __name__ == "__main__":
    main()
