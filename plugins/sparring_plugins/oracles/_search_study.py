"""The study of a search: settings are proposed by optuna, in groups, and every trial stands in its storage."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sparring.errors import RequestError
from sparring.oracle import Tried
from sparring.streams import stream
from sparring_plugins.oracles._search_space import Dimension

__all__ = ["Proposal", "Study"]

TOLD = "tried"
"""The attribute of a trial that holds what is known of it."""


@dataclass(frozen=True)
class Proposal:
    """Settings to be tried."""

    number: int
    settings: Mapping[str, Any]


class Study:
    """Proposals and outcomes, in memory or in a file that later runs go on from.

    The chance of each proposal comes from the seed and the trial's number, and proposals of a group do not know the
    outcomes of that group, so that neither an interruption nor the speed of workers changes what is tried.
    """

    def __init__(self, space: Sequence[Dimension], seed: int, sampler: str, storage: str, name: str) -> None:
        """Begin, or go on with, the study of that name.

        Raises:
            RequestError: optuna is not installed, or the file cannot be used.
        """
        self._optuna = _optuna()
        self._seed, self._sampler = seed, sampler
        self._distributions = {each.name: self._distribution(each) for each in space}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", self._optuna.exceptions.ExperimentalWarning)
            self._study = self._opened(storage, name)
        self.resumed = len(self.tried())

    def group(self, first: int, count: int) -> list[Proposal]:
        """Those of the trials `first` to `first + count - 1` that are not done."""
        states = self._optuna.trial.TrialState
        for number in range(len(self._study.trials), first + count):
            self._study.sampler = self._own_sampler(number)
            self._study.ask(self._distributions)
        waiting = self._study.trials[first : first + count]
        return [Proposal(trial.number, dict(trial.params)) for trial in waiting if trial.state == states.RUNNING]

    def tell(self, number: int, tried: Tried) -> None:
        """Write down an outcome."""
        trial = self._study.trials[number]
        self._study._storage.set_trial_user_attr(trial._trial_id, TOLD, asdict(tried))
        if tried.value is None:
            self._study.tell(number, state=self._optuna.trial.TrialState.FAIL)
        else:
            self._study.tell(number, tried.value)

    def tried(self) -> list[Tried]:
        """All outcomes, in the order of the trials."""
        found = [trial.user_attrs[TOLD] for trial in self._study.trials if trial.state.is_finished()]
        return [_tried(told) for told in found]

    def _own_sampler(self, number: int) -> Any:
        seed = int(stream(self._seed, "proposal", number).integers(2**31))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", self._optuna.exceptions.ExperimentalWarning)
            if self._sampler == "random":
                return self._optuna.samplers.RandomSampler(seed=seed)
            return self._optuna.samplers.TPESampler(seed=seed, constant_liar=True)

    def _distribution(self, dimension: Dimension) -> Any:
        home = self._optuna.distributions
        if dimension.choices:
            return home.CategoricalDistribution(dimension.choices)
        if dimension.whole:
            return home.IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
        return home.FloatDistribution(dimension.low, dimension.high, log=dimension.log)

    def _opened(self, path: str, name: str) -> Any:
        try:
            return self._optuna.create_study(
                storage=self._storage(path), study_name=name, load_if_exists=True, direction="minimize"
            )
        except (OSError, ValueError, KeyError) as error:
            told = " ".join(str(error).split())
            raise RequestError(f"oracle search: storage={path} is no journal of optuna ({told})") from error

    def _storage(self, path: str) -> Any:
        if not path:
            return None
        place = Path(path).expanduser()
        if not place.parent.is_dir() or place.is_dir():
            raise RequestError(f"oracle search: storage={path}: needs a file in a folder that exists")
        backend = importlib.import_module("optuna.storages.journal").JournalFileBackend
        return self._optuna.storages.JournalStorage(backend(str(place)))


def _tried(told: Mapping[str, Any]) -> Tried:
    """What JSON has made lists of, as it was."""
    ci95 = told["ci95"]
    return Tried(**{**told, "ci95": None if ci95 is None else tuple(ci95), "warnings": tuple(told["warnings"])})


def _optuna() -> Any:
    try:
        found = importlib.import_module("optuna")
    except ImportError as error:
        raise RequestError(
            f"oracle search: needs the package optuna ({error}): pip install 'sparring[search]'"
        ) from error
    found.logging.set_verbosity(found.logging.WARNING)
    return found
