"""The loop around updates: step sizes, checkpoints, logs and a progress bar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sparring.attack_game import StepInfo
from sparring.errors import RequestError
from sparring.simulated.world import World
from sparring_plugins.learners.logs import Log
from sparring_plugins.learners.state import PpoState

if TYPE_CHECKING:
    from sparring_plugins.learners.ppo import Ppo

__all__ = ["Keeping", "Show", "annealed", "progress_bar", "trained"]

Show = Callable[[PpoState, StepInfo], None]


@dataclass(frozen=True)
class Keeping:
    """Where and how often a state is written; nowhere where `path` is None."""

    path: Path | None
    every: int

    def __post_init__(self) -> None:
        if self.every < 1:
            raise RequestError(f"ppo: a checkpoint every {self.every} updates, give 1 or more")


def annealed(rate: float, done: int, whole: int) -> float:
    """A step size that falls in a line, from `rate` at 0 steps to 0 at `whole` of them."""
    return rate * max(0.0, 1.0 - done / whole)


def trained(
    learner: Ppo, state: PpoState, world: World, steps: int, keeping: Keeping, logs: Sequence[Log], watch: Show | None
) -> PpoState:
    """See `Ppo.train`."""
    settings, kept = learner.settings, state
    with ExitStack() as stack:
        for log in logs:
            stack.callback(log.close)
        shows = [
            stack.enter_context(progress_bar("ppo", state, steps)),
            *(log.write for log in logs),
            *([watch] if watch else []),
        ]
        try:
            while state.steps < steps:
                rate = settings.learning_rate
                rate = annealed(rate, state.steps, steps) if settings.anneal else rate
                state, info = learner.update(state, world, rate=rate)
                for show in shows:
                    show(state, info)
                if keeping.path is not None and state.updates % keeping.every == 0:
                    learner.save(state, keeping.path)
                    kept = state
        finally:  # an interrupt or a world that fails leaves the last whole state behind
            if keeping.path is not None and kept is not state:
                learner.save(state, keeping.path)
    return state


@contextmanager
def progress_bar(name: str, state: PpoState, steps: int) -> Iterator[Show]:
    """A bar on standard error, if that is a terminal, from where a state stands."""
    from rich.console import Console
    from rich.progress import Progress

    bar = Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True)
    task = bar.add_task(name, total=steps, completed=state.steps)

    def show(state: PpoState, info: StepInfo) -> None:
        reached = info.metrics.get("return")
        what = name if reached is None else f"{name}: return {reached:.1f}"
        bar.update(task, completed=min(state.steps, steps), description=what)

    with bar:
        yield show
