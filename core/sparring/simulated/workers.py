"""A world whose episodes are shared among worker processes; a worker that dies is one line, not an endless wait."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.errors import RequestError, SparringError
from sparring.simulated.bookkeeping import checked_actions, checked_seeds, moving
from sparring.simulated.faults import WorldError
from sparring.simulated.knobs import Knob
from sparring.simulated.spaces import Space
from sparring.simulated.world import Step, World
from sparring.trust import consents, trusting

__all__ = ["SharedWorld"]

Flags = NDArray[np.bool_]
Ask = tuple[str, tuple[Any, ...]]
PATIENCE = 5.0
"""Seconds that a worker has for closing its part before it is ended."""


class SharedWorld:
    """A world in parts, one for each worker process; places are dealt out in order, as evenly as can be."""

    def __init__(self, make: Callable[[int], World], size: int, workers: int, action: Space, where: str) -> None:
        """Start the workers.

        Args:
            make: makes a part of a given size; goes to the workers by pickle.
            size: how many episodes all parts hold together.
            workers: how many processes; no more are started than there are places.
            action: the space of one episode's actions.
            where: the game, for messages.

        Raises:
            RequestError: no places or no workers, or a worker cannot make its part.
        """
        if size < 1 or workers < 1:
            raise RequestError(f"{where}: {size} episodes in {workers} workers, give 1 or more of both")
        self.size, self._where, self._action = size, where, action
        count = min(workers, size)
        self._bounds = np.linspace(0, size, count + 1).astype(int)
        self._workers = [_Worker(make, int(part), where) for part in np.diff(self._bounds)]
        self._observations: NDArray[Any] = np.empty((0,))
        self._finished: Flags = np.zeros(0, dtype=np.bool_)
        self._ask([("made", ())] * count)

    @property
    def observations(self) -> NDArray[Any]:
        """What the episodes show now, [batch, *observation]."""
        return self._observations

    def reset(self, seeds: Sequence[int]) -> NDArray[Any]:
        """Begin one episode for each seed."""
        given = checked_seeds(seeds, self.size, self._where)
        parts = [given[low:high] for low, high in self._slices(len(given))]
        self._observations = np.concatenate(self._ask([("reset", (part,)) for part in parts]))
        self._finished = np.zeros(len(given), dtype=np.bool_)
        return self._observations

    def restart(self, where: Flags, seeds: Sequence[int]) -> NDArray[Any]:
        """Begin new episodes in the marked places."""
        marks = moving(where, np.zeros_like(self._finished), self._where)
        given = checked_seeds(seeds, int(marks.sum()), self._where)
        order = np.cumsum(marks)
        parts, asks = [], dict[int, Ask]()
        for place, (low, high) in enumerate(self._slices(len(marks))):
            before = int(order[low - 1]) if low else 0
            parts.append(self._observations[low:high])
            if marks[low:high].any():  # the others have nothing to begin
                asks[place] = "restart", (marks[low:high], given[before : int(order[high - 1])])
        for place, found in zip(asks, self._ask(list(asks.values()), list(asks)), strict=True):
            parts[place] = found
        self._observations = np.concatenate(parts)
        self._finished = self._finished & ~marks
        return self._observations

    def step(self, actions: NDArray[Any], active: Flags | None = None) -> Step:
        """Move the active episodes, all workers at once."""
        batch = len(self._finished)
        given = checked_actions(actions, batch, self._action.shape, self._where)
        moves = moving(active, self._finished, self._where)
        steps = self._ask([("step", (given[low:high], moves[low:high])) for low, high in self._slices(batch)])
        whole = Step(*(np.concatenate([getattr(step, name) for step in steps]) for name in _PARTS))
        self._observations, self._finished = whole.observations, whole.finished
        return whole

    def turn(self, knobs: Sequence[Knob], values: NDArray[Any], where: Flags) -> None:
        """Turn knobs of the dynamics, where the parts have any."""
        slices = self._slices(len(self._finished))
        self._ask([("turn", (tuple(knobs), values[low:high], where[low:high])) for low, high in slices])

    def save(self) -> Any:
        """The state of all parts."""
        parts = self._ask([("save", ())] * len(self._slices(len(self._finished))))
        return {"observations": self._observations, "finished": self._finished, "parts": parts}

    def load(self, saved: Any) -> None:
        """Go back to a saved state."""
        self._ask([("load", (part,)) for part in saved["parts"]])
        self._observations, self._finished = saved["observations"], saved["finished"]

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.end()
        self._workers = []

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # at the end of Python parts of it may be gone; the workers end anyway
            self.close()

    def _slices(self, batch: int) -> list[tuple[int, int]]:
        """First and last place of each part that has any of the first `batch` places."""
        ends = np.minimum(self._bounds, batch).tolist()
        return [(low, high) for low, high in itertools.pairwise(ends) if low < high]

    def _ask(self, asks: Sequence[Ask], places: Sequence[int] | None = None) -> list[Any]:
        """Let these workers (None: the first) work, one request each; all have answered when this returns or raises."""
        if not self._workers:
            raise WorldError(f"{self._where}: the world is closed")
        workers = self._workers if places is None else [self._workers[place] for place in places]
        asked = list(zip(workers, asks, strict=False))
        try:
            for worker, (name, given) in asked:
                worker.send(name, given)
            answers = [worker.answer(name) for worker, (name, _) in asked]
        except BaseException:  # an interrupt, too, leaves answers behind that nobody waits for
            self.close()
            raise
        faults = [answer for answer in answers if isinstance(answer, SparringError)]
        if faults:
            raise faults[0]
        return answers


_PARTS = ("observations", "rewards", "terminated", "truncated")


class _Worker:
    """One process and the line to it."""

    def __init__(self, make: Callable[[int], World], size: int, where: str) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would copy the threads' locks of torch and others
        self._line, theirs = context.Pipe()
        self._where = where
        self._process: BaseProcess = context.Process(target=_serve, args=(theirs, make, size, consents()), daemon=True)
        self._process.start()
        theirs.close()

    def send(self, name: str, given: tuple[Any, ...]) -> None:
        try:
            self._line.send((name, given))
        except OSError as error:
            raise self._death(name) from error

    def answer(self, name: str) -> Any:
        """What it answers; a process that ends instead is a WorldError."""
        wait([self._line, self._process.sentinel])
        try:
            if self._line.poll():
                return self._line.recv()
        except (EOFError, OSError) as error:
            raise self._death(name) from error
        raise self._death(name)

    def _death(self, name: str) -> WorldError:
        self._process.join(PATIENCE)
        code = self._process.exitcode
        how = f"killed by {signal.Signals(-code).name}" if code is not None and code < 0 else f"ended with code {code}"
        return WorldError(f"{self._where}: worker process {self._process.pid} was {how} at {name!r}; run it again")

    def end(self) -> None:
        with contextlib.suppress(OSError):  # it may be gone already
            self._line.send(None)
        self._process.join(PATIENCE)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._line.close()


def _serve(line: Connection, make: Callable[[int], World], size: int, trust: frozenset[str]) -> None:
    """Do what is asked until the other end is gone, with the consent that was given there."""
    with trusting(trust):
        _answer(line, make, size)


def _answer(line: Connection, make: Callable[[int], World], size: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that asks decides what an interrupt means
    world: World | None = None
    with contextlib.suppress(EOFError, ConnectionError):  # whoever asked is gone, with or without a word
        while (asked := line.recv()) is not None:
            name, parts = asked
            try:
                world = make(size) if world is None else world
                line.send(None if name == "made" else getattr(world, name)(*parts))
            except SparringError as error:
                line.send(error)
            except Exception as error:
                line.send(WorldError(f"{type(error).__name__}: {' '.join(str(error).split())}"))
    if world is not None:
        world.close()
