"""A hunt for unsound bounds: random networks, regions and precisions against sampling and gradient ascent.

A violation is a value, computed by the network itself in its own precision, that lies outside of the bounds by any
amount at all; no tolerance is given. Values are computed in batches of several sizes, since sums round differently
there. Ten thousand networks take a quarter of an hour on one core.

    python benchmarks/hunt_bounds.py [--networks 10000] [--seed 0] [--out docs/results/hunt-bounds.json]
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import sparring
from _random_networks import compiled, network, points, region
from _recording import record
from sparring import Region
from sparring_plugins.propagation import trained_boxes, trained_rows

METHODS = ("ibp", "crown", "crown-ibp", "crown(slope=same)", "forward", "crown(intermediate=forward)",
           "alpha-crown(steps=3)")  # fmt: skip
GRADED = ("ibp", "crown-ibp")
"""Bounds with gradients are computed in ways of their own."""
BATCH, MANY, SAMPLES, STEPS = 3, 20, 200, 10


def values(module: nn.Module, inputs: Tensor) -> list[Tensor]:
    """Outputs [samples, batch, outputs] for inputs [samples, batch, *shape], all at once and a few at a time."""
    flat = inputs.flatten(0, 1)
    together = module(flat)
    apart = torch.cat([module(part) for part in flat.split(7)])
    return [found.detach().view(*inputs.shape[:2], -1) for found in (together, apart)]


def climbed(module: nn.Module, where: Region, start: Tensor, output: int, sign: float) -> Tensor:
    """Where signed gradient steps over a box lead, [1, batch, *shape]."""
    low, high = where.corners
    inputs, step = start.clone(), (high - low) / 4
    for _ in range(STEPS):
        inputs.requires_grad_(True)
        (gradient,) = torch.autograd.grad(sign * module(inputs)[:, output].sum(), inputs)
        with torch.no_grad():
            inputs = torch.minimum(torch.maximum(inputs + step * gradient.sign(), low), high)
        step = step * 0.7
    return inputs.detach().unsqueeze(0)


def hunted(number: int, seed: int) -> tuple[int, Counter[str], float, list[str]]:
    """Try one network: how many bounds were made, what was refused, the least distance, and every violation."""
    rng = np.random.default_rng([seed, number])
    # Every third network is of operations that run as one compiled program, and every sixth a batch that is for blocks.
    module, shape, outputs = compiled(rng) if number % 3 == 2 else network(rng)
    dtype = torch.float32 if rng.random() < 0.5 else torch.float64
    module = module.to(dtype)
    where = region(rng, shape, dtype, MANY if number % 6 == 5 else BATCH)
    tried = [points(rng, where, SAMPLES)]
    if where.norm == "inf":
        for output in range(outputs):
            tried += [climbed(module, where, where.corners[0], output, sign) for sign in (-1.0, 1.0)]
    found = [value for inputs in tried for value in values(module, inputs)]
    least = torch.stack([value.amin(0) for value in found]).amin(0)
    most = torch.stack([value.amax(0) for value in found]).amax(0)
    made, refused, violations, margin = 0, Counter[str](), [], float("inf")
    for method, graded in [*((method, False) for method in METHODS), *((method, True) for method in GRADED)]:
        try:
            with torch.set_grad_enabled(graded):
                low, high = (end.detach() for end in sparring.bound(module, where, method=method))
        except sparring.RefusedError as error:
            refused[f"{method}: {str(error)[:90]}"] += 1
            continue
        made += 1
        margin = min(margin, float((least - low).min()), float((high - most).min()))
        if not bool(((low <= least) & (most <= high)).all()):
            worst = max(float((low - least).max()), float((most - high).max()))
            violations.append(
                f"network {number} seed {seed} {method}{' graded' * graded} {dtype} {where.norm}: {worst:.3g}"
            )
    return made, refused, margin, violations


def main() -> None:
    """Hunt and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    usual = trained_boxes.FEW, trained_rows.FEW
    start, made, refused, violations, margin = time.perf_counter(), 0, Counter[str](), [], float("inf")
    for number in range(options.first, options.first + options.networks):
        # Half of the small networks go the way of large ones.
        trained_boxes.FEW, trained_rows.FEW = (0, 0) if number % 4 < 2 else usual
        some, without, near, broken = hunted(number, options.seed)
        made, refused, violations, margin = made + some, refused + without, violations + broken, min(margin, near)
        for line in broken:
            print(line, flush=True)
        if (number + 1) % 500 == 0:
            print(f"{number + 1} networks, {made} bounds, {len(violations)} violations", flush=True)
    seconds = time.perf_counter() - start
    print(f"{options.networks} networks, {made} bounds, {sum(refused.values())} refused, {len(violations)} violations, "
          f"nearest {margin:.3g}, {seconds:.0f} s")  # fmt: skip
    record(options.out, {
        "seed": options.seed, "networks": options.networks, "bounds": made, "refused": dict(refused.most_common()),
        "violations": violations, "nearest": margin, "seconds": seconds, "samples": SAMPLES, "methods": METHODS,
        "with_gradients": GRADED,
    })  # fmt: skip


if __name__ == "__main__":
    main()
