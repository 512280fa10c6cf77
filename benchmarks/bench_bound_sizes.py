"""What bounds of large requests take: memory beside auto_LiRPA, an Atari network, a rollout in one call.

Every measurement is a process of its own. Its peak of memory is what the kernel counted above what the process held
after the same request to a copy of the network, so that imports and compiled code are left out, and graphs are not.
Times are the least of a few calls. `SPARRING_AUTO_LIRPA` names a folder with an installed auto_LiRPA (0.6 or later);
without one the peer is left out. Linux with glibc alone counts memory in this way.

    python benchmarks/bench_bound_sizes.py [--only memory,atari,rollout] [--out docs/results/bound-sizes.json]
"""

from __future__ import annotations

import argparse
import copy
import ctypes
import gc
import json
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import sparring
from _recording import record
from bench_bounds import METHODS, NETWORKS, PEER, Peer
from sparring import Region

AGENT = Path(sparring.__path__[0]).parents[1] / "plugins/sparring_plugins/agents/hopper.safetensors"
STATES, RADIUS = 1000, 0.075
GREY = 1 / 255
"""Brightness of one step of a grey scale."""
SIZES: dict[str, tuple[tuple[str, int], ...]] = {
    "memory": (("tanh", 1024), ("relu", 1024)),
    "atari": (("atari", 1), ("atari", 8)),
    "rollout": (("rollout", STATES),),
}


def atari() -> nn.Module:
    """The network of Mnih et al. 2015 for six actions, with weights as torch draws them."""
    return nn.Sequential(
        nn.Conv2d(4, 32, 8, 4), nn.ReLU(), nn.Conv2d(32, 64, 4, 2), nn.ReLU(), nn.Conv2d(64, 64, 3), nn.ReLU(),
        nn.Flatten(), nn.Linear(3136, 512), nn.ReLU(), nn.Linear(512, 6),
    )  # fmt: skip


def hopper() -> tuple[nn.Module, Tensor]:
    """The shipped agent's network, and the normalised observations of a seeded episode or more."""
    game: Any = sparring.load_game("gym:Hopper-v5")
    policy: Any = sparring.load_policy(f"file:{AGENT}", game)
    world, chance, seen = game.world(1), np.random.default_rng(0), list[Any]()
    for seed in range(STATES):
        observation, finished = world.reset([seed]), False
        while not finished and len(seen) < STATES:
            seen.append(np.array(observation[0]))
            step = world.step(policy.act(observation, None, chance)[0])
            observation, finished = step.observations, bool(step.finished[0])
    world.close()
    return policy.inner().module().eval(), torch.from_numpy(policy.normalised(np.stack(seen)))


def request(name: str, batch: int) -> tuple[nn.Module, Tensor, float]:
    """A network, inputs and the radius."""
    torch.manual_seed(0)
    if name == "rollout":
        return *hopper(), RADIUS
    if name == "atari":
        return atari().eval(), torch.rand(batch, 4, 84, 84), GREY
    make, shape, radius = NETWORKS[name]
    return make().eval(), torch.rand(batch, *shape), radius


def held(name: str) -> float:
    """What this process holds (`VmRSS`) or has held at most (`VmHWM`), MB."""
    lines = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[name].split()[0]) / 1024


def measured(name: str, batch: int, method: str, peer: bool, calls: int) -> dict[str, Any]:
    """Width, peak of memory, and the least time of some calls."""
    module, inputs, radius = request(name, batch)

    def bound(module: nn.Module) -> Callable[[], tuple[Tensor, Tensor]]:
        if not peer:
            return lambda: sparring.bound(module, Region(inputs, radius), method)
        made = list[Peer]()

        def call() -> tuple[Tensor, Tensor]:
            made.extend([] if made else [Peer(module, inputs, radius)])
            return made[0].bound(METHODS[method])

        return call

    with torch.no_grad():
        bound(copy.deepcopy(module))()
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before, call, times = held("VmRSS"), bound(module), list[float]()
        for _ in range(calls):
            start = time.perf_counter()
            low, high = call()
            times.append(time.perf_counter() - start)
    found = {"peak_mb": round(held("VmHWM") - before, 1), "ms": min(times) * 1e3, "width": float((high - low).mean())}
    if name == "rollout":
        nominal = module(inputs).detach()
        moved = torch.maximum(high - nominal, nominal - low)
        # The greatest change of any of the three torques, which lie between -1 and 1.
        found["median_change"] = float(moved.amax(1).median())
    return found


def apart(name: str, batch: int, method: str, peer: bool, calls: int) -> dict[str, Any]:
    """The same in a process of its own."""
    told = json.dumps([name, batch, method, peer, calls])
    run = subprocess.run([sys.executable, __file__, "--one", told], capture_output=True, text=True, check=False)
    if run.returncode:
        last = run.stderr.strip().splitlines()[-1] if run.stderr.strip() else f"ended with {run.returncode}"
        return {"failed": last}
    found: dict[str, Any] = json.loads(run.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(SIZES))
    parser.add_argument("--calls", type=int, default=5, help="how many are timed, on the Atari network under crown one")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    if PEER:
        sys.path.insert(0, PEER)
    if options.one:
        print(json.dumps(measured(*json.loads(options.one))))
        return
    figures: dict[str, Any] = {}
    for name, batch in (size for group in options.only.split(",") for size in SIZES[group]):
        for method in METHODS if name != "rollout" else ["crown"]:
            calls = options.calls if (name, method) != ("atari", "crown") else 1
            row = {"ours": apart(name, batch, method, False, calls)}
            # The peer has no pieces for rows: on the Atari network it would take all memory there is.
            if PEER and (name, method) != ("atari", "crown"):
                row["peer"] = apart(name, batch, method, True, calls)
            figures.setdefault(name, {}).setdefault(str(batch), {})[method] = row
            print(name, batch, method, row, flush=True)
    record(options.out, {"threads": 1, "dtype": "float32", "figures": figures})


if __name__ == "__main__":
    main()
