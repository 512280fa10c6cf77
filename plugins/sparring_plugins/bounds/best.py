"""The tightest bounds that fit a stated time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from sparring import hookimpl
from sparring.bounds import BoundBackend, Region
from sparring.plugin import PluginOptions, unit
from sparring_plugins.bounds.alpha_crown import AlphaCrown
from sparring_plugins.bounds.crown import Crown

if TYPE_CHECKING:
    from torch import Tensor, nn


__all__ = ["Best", "Report", "Run"]

METHODS = ("ibp", "crown-ibp", "crown", "alpha-crown")
"""From fast to tight."""
SPEED = 5e9
"""Multiplications a second that a slow processor reaches with one thread; a faster one will have time left."""
FULL = 20
"""Steps of alpha-crown where time allows."""
FEWEST = 3
"""With fewer steps alpha-crown is not worth its first pass."""


@dataclass(frozen=True)
class Run:
    """One method as it was run."""

    method: str
    """Its spec, with options."""
    seconds: float
    """Time that it took."""
    width: float
    """Mean of upper minus lower bound by this method alone."""


@dataclass(frozen=True)
class Report:
    """What `best` did in its last call."""

    method: str
    """The method with the least mean width; the bounds are the intersection of all that were run."""
    runs: tuple[Run, ...]
    """All that were run, in this order."""
    left_out: tuple[str, ...]
    """Methods for which there was not time enough."""


class BestOptions(PluginOptions):
    """The limit."""

    seconds: float = Field(
        1.0,
        gt=0,
        description="time for one call, which the fastest method may exceed",
        json_schema_extra=unit("seconds"),
    )


class Best(BoundBackend):
    """Runs `ibp`, `crown-ibp`, `crown` and `alpha-crown` while time allows, and takes the tightest of each bound.

    What fits depends on the machine, so that the same call may give other bounds, each of them sound: this backend
    is exempt from the rule that the same seed gives the same document. `report` tells what was done; ask the
    instance that made the bound.
    """

    name: ClassVar[str] = "best"
    summary: ClassVar[str] = "the tightest bounds that fit a stated time; which they are depends on the machine's speed"
    source: ClassVar[str] = "intersection of sound bounds; methods as in thesis, chapters 3 and 5"
    repeatable: ClassVar[bool] = False
    interface: ClassVar[int] = 1
    Options: ClassVar[type[PluginOptions]] = BestOptions
    report: Report | None = None
    """Of the last call on this instance; None before the first."""

    def bound(self, module: nn.Module, region: Region, spec: Tensor | None) -> tuple[Tensor, Tensor]:
        """The intersection of all bounds for which there was time."""
        from sparring_plugins.propagation.costs import Measured
        from sparring_plugins.propagation.kept_graphs import graph_of

        search = _Search(self.options.seconds)
        intervals = Measured(graph_of(module, region.center), region, "ibp")
        search.run("ibp", lambda: intervals.box(spec))
        if search.fits("crown-ibp", 10 * search.last):
            search.run("crown-ibp", lambda: intervals.bounds(spec))
            once = search.last
            if search.fits("crown", intervals.passes() * once + intervals.work_inside() / SPEED):
                search.run("crown", lambda: Crown().bound(module, region, spec))
                options = _optimising(search.left(), once, search.last)
                if search.fits("alpha-crown", 0.0 if options else math.inf):
                    label = f"alpha-crown({','.join(f'{name}={value}' for name, value in options.items())})"
                    search.run(label, lambda: AlphaCrown(**options).bound(module, region, spec))
        self.report = search.report()
        return search.bounds()


def _optimising(left: float, once: float, crown: float) -> dict[str, Any]:
    """Options of alpha-crown that fit what is left, by the seconds of one pass from the output and of CROWN.

    A step at every node takes about as long as CROWN does twice; one at the output as three passes from there.
    """
    steps = min(FULL, int(left / (2 * crown)) - 2)
    if steps >= FEWEST:
        return {"steps": steps}
    return {"intermediate": "fixed"} if 2 * crown + 3 * FULL * once <= left else {}


class _Search:
    """One call: what is known so far, and the clock."""

    def __init__(self, seconds: float) -> None:
        self._end, self.last = time.perf_counter() + seconds, 0.0
        self._found: list[tuple[Tensor, Tensor]] = []
        self._runs: list[Run] = []
        self._left_out: list[str] = []

    def run(self, label: str, compute: Callable[[], tuple[Tensor, Tensor]]) -> None:
        """Run a method and keep what it gives."""
        began = time.perf_counter()
        low, high = compute()
        self.last = time.perf_counter() - began
        self._found.append((low, high))
        self._runs.append(Run(label, self.last, float((high - low).detach().mean())))

    def fits(self, label: str, expected: float) -> bool:
        """Whether so many seconds are left; if not, the method and all after it are left out."""
        if expected <= self.left():
            return True
        self._left_out += METHODS[METHODS.index(label) :]
        return False

    def left(self) -> float:
        """Seconds."""
        return self._end - time.perf_counter()

    def bounds(self) -> tuple[Tensor, Tensor]:
        """The intersection."""
        from torch import fmax, fmin

        lows, highs = zip(*self._found, strict=True)
        # A bound that is no number says nothing: fmax and fmin pass it over.
        return reduce(fmax, lows), reduce(fmin, highs)

    def report(self) -> Report:
        """What was done."""
        tightest = min(self._runs, key=lambda run: run.width if run.width == run.width else float("inf"))
        return Report(tightest.method, tuple(self._runs), tuple(self._left_out))


@hookimpl
def sparring_bound_backends() -> list[type[BoundBackend]]:
    """Give `best`."""
    return [Best]
