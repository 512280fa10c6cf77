"""Critics in training on disk, from which they go on bit for bit; every file is whole or absent."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sparring.errors import RequestError
from sparring.files import write_whole
from sparring_plugins.critics.critic import Scales
from sparring_plugins.critics.learning import CriticState
from sparring_plugins.critics.settings import CriticSettings
from sparring_plugins.critics.transitions import Transitions
from sparring_plugins.learners.adam import Averages

__all__ = ["Keeper"]

Arrays = dict[str, NDArray[Any]]
COLUMNS = ("states", "actions", "rewards", "next_states", "next_actions", "terminated", "finished")


@dataclass(frozen=True)
class Keeper:
    """A folder for the critics of one victim; files of other victims, games and seeds in it are told apart by name."""

    folder: Path
    of: str
    """What decides the transitions: game, victim, seed, and how they are collected."""

    def __post_init__(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RequestError(f"cannot make the folder {self.folder}: {error.strerror}") from error

    def transitions(self) -> Transitions | None:
        """What was collected before; None where nothing was."""
        found = _read(self._path("transitions", self.of))
        return None if found is None else Transitions(*(found[name] for name in COLUMNS))

    def keep_transitions(self, seen: Transitions) -> None:
        """Write them."""
        _write(self._path("transitions", self.of), {name: getattr(seen, name) for name in COLUMNS})

    def state(self, settings: CriticSettings) -> CriticState | None:
        """Where training with these settings stands; None where it has not begun."""
        found = _read(self._critic(settings))
        if found is None:
            return None
        facts = json.loads(found["facts"].tobytes())
        scales: dict[str, Any] = {name: found.get(name, facts.get(name)) for name in Scales.__dataclass_fields__}
        weights, mean, square = (torch.from_numpy(found[name]) for name in ("weights", "mean", "square"))
        averages = Averages(mean, square, int(facts["count"]))
        return CriticState(Scales(**scales), weights, averages, int(facts["epochs"]), float(facts["loss"]))

    def keep_state(self, settings: CriticSettings, state: CriticState) -> None:
        """Write it."""
        scales, averages = vars(state.scales), state.averages
        facts = {name: value for name, value in scales.items() if isinstance(value, float)}
        facts |= {"count": averages.count, "epochs": state.epochs, "loss": state.loss}
        arrays = {name: value for name, value in scales.items() if isinstance(value, np.ndarray)}
        arrays |= {"weights": state.weights.numpy(), "mean": averages.mean.numpy(), "square": averages.square.numpy()}
        arrays["facts"] = np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8)
        _write(self._critic(settings), arrays)

    def _critic(self, settings: CriticSettings) -> Path:
        return self._path("critic", json.dumps([self.of, asdict(settings)]))

    def _path(self, what: str, identity: str) -> Path:
        return self.folder / f"{what}-{hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()}.npz"


def _read(path: Path) -> Arrays | None:
    """The arrays of a file, or None where there is none.

    Raises:
        RequestError: it is damaged.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
            return {name: content[name] for name in content.files}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise RequestError(f"{path} is damaged ({type(error).__name__}: {error}); remove it") from error


def _write(path: Path, arrays: Arrays) -> None:
    with write_whole(path) as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]  # numpy's stub takes each array for its own option
