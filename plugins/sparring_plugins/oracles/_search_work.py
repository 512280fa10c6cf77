"""Trials of a search, in this process, in worker processes, or on a Ray cluster."""

from __future__ import annotations

import logging
import multiprocessing
import pickle
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from sparring.attack_game import Effort
from sparring.errors import RefusedError, RequestError, SparringError
from sparring.oracle import Oracle
from sparring.streams import stream
from sparring.trust import consents, trusting
from sparring_plugins.oracles._choosing import Candidate, Yardstick, found_by

__all__ = ["Job", "Workers", "workers_for"]


@dataclass(frozen=True, eq=False)
class Job:
    """One trial; it can be pickled."""

    oracle: Oracle
    spec: str
    yardstick: Yardstick
    effort: Effort | None
    seed: int
    trust: frozenset[str]

    def run(self) -> Candidate:
        """Let the oracle find an attacker, and measure it; all trials have the same chance."""
        yardstick = self.yardstick
        rng = stream(self.seed, "trial")
        find = partial(found_by, self.oracle, self.spec, yardstick.duel, yardstick.victim, self.effort, rng)
        with trusting(self.trust):
            return yardstick.candidate(self.spec, find)

    @classmethod
    def of(cls, oracle: Oracle, spec: str, yardstick: Yardstick, effort: Effort | None, seed: int) -> Job:
        """With the consent that is given here."""
        return cls(oracle, spec, yardstick, effort, seed, consents())


class Workers(Protocol):
    """Runs trials."""

    @property
    def count(self) -> int:
        """How many run at once."""
        ...

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Candidate]]:
        """Outcomes with the places of their trials, each as soon as it is there, so that none is lost with another.

        Raises:
            SparringError: a worker ended; outcomes that were there have been given before.
        """
        ...


@contextmanager
def workers_for(count: int, ray: str) -> Iterator[Workers]:
    """The workers that were asked for.

    Raises:
        RequestError: Ray is not installed, or there is no cluster at that address.
    """
    if ray:
        with _cluster(ray) as found:
            yield found
    elif count == 1:
        yield _Here()
    else:
        with ProcessPoolExecutor(count, multiprocessing.get_context("spawn")) as pool:
            try:
                yield _Processes(count, pool)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


class _Here:
    count = 1

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Candidate]]:
        for place, job in enumerate(jobs):
            yield place, job.run()


@dataclass(frozen=True)
class _Processes:
    count: int
    pool: ProcessPoolExecutor

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Candidate]]:
        waiting = {self.pool.submit(_run, _packed(job)): place for place, job in enumerate(jobs)}
        broken: BrokenProcessPool | None = None
        for future in as_completed(waiting):
            try:
                found = future.result()
            except BrokenProcessPool as error:  # it breaks all that are not done, at once
                broken = error
                continue
            yield waiting[future], found
        if broken is not None:
            raise SparringError(
                "oracle search: a worker process ended; run it again, with storage=... to go on"
            ) from broken


@dataclass(frozen=True)
class _Ray:
    count: int
    ray: Any
    remote: Any

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Candidate]]:
        places = {self.remote.remote(_packed(job)): place for place, job in enumerate(jobs)}
        waiting = list(places)
        while waiting:
            (reference,), waiting = self.ray.wait(waiting)
            try:
                found: Candidate = self.ray.get(reference)
            except self.ray.exceptions.RayTaskError as error:
                cause = error.cause
                raise cause if isinstance(cause, SparringError) else SparringError(f"oracle search: {cause}") from error
            except self.ray.exceptions.RayError as error:
                raise SparringError(f"oracle search: a Ray worker ended: {' '.join(str(error).split())}") from error
            yield places[reference], found


@contextmanager
def _cluster(address: str) -> Iterator[_Ray]:
    """A connection to a cluster, or the one that there is already."""
    try:
        import ray
    except ImportError as error:
        raise RequestError(
            f"oracle search: ray={address} needs the package ray ({error}): pip install 'sparring[ray]'"
        ) from error
    own = not ray.is_initialized()
    if own:
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise RequestError(f"oracle search: no Ray cluster at {address}: {' '.join(str(error).split())}") from error
    try:
        untyped: Any = ray
        processors = int(untyped.cluster_resources().get("CPU", 1))
        yield _Ray(max(1, processors), untyped, untyped.remote(num_cpus=1)(_run))
    finally:
        if own:
            ray.shutdown()


def _run(packed: bytes) -> Candidate:
    """In the worker."""
    job: Job = pickle.loads(packed)
    return job.run()


def _packed(job: Job) -> bytes:
    """A trial as bytes.

    Raises:
        RefusedError: the oracle, the game or the victim cannot be sent to another process.
    """
    try:
        return pickle.dumps(job)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise RefusedError(f"oracle search: {job.spec} cannot be sent to workers ({error}); use workers=1") from error
