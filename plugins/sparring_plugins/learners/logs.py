"""What becomes of the metrics of each update: a CSV file, or TensorBoard's where it is installed."""

from __future__ import annotations

import csv
import importlib
from pathlib import Path
from typing import Any, Protocol

from sparring.attack_game import StepInfo
from sparring.errors import RequestError
from sparring_plugins.learners.state import PpoState

__all__ = ["CsvLog", "Log", "TensorBoardLog"]

COLUMNS = (
    "updates", "steps", "episodes", "return", "length", "gradient_norm", "kl", "clipped", "explained_variance",
    "entropy", "rate",
)  # fmt: skip


class Log(Protocol):
    """Told of every update."""

    def write(self, state: PpoState, info: StepInfo) -> None:
        """Keep the metrics of the update that gave `state`."""
        ...

    def close(self) -> None:
        """Nothing comes any more."""
        ...


class CsvLog:
    """One row an update, written at once; a run that goes on appends, and rows that it repeats are taken out first."""

    def __init__(self, path: Path, state: PpoState) -> None:
        """Go on after the rows of the updates that `state` has.

        Raises:
            RequestError: the file cannot be written, or is something else.
        """
        try:
            kept = _rows(path, state.updates) if path.exists() else []
            self._stream = path.open("w", newline="", encoding="utf-8")
        except OSError as error:
            raise RequestError(f"cannot write {path}: {error.strerror}") from error
        self._writer = csv.DictWriter(self._stream, COLUMNS)
        self._writer.writeheader()
        self._writer.writerows(kept)

    def write(self, state: PpoState, info: StepInfo) -> None:
        """A row; what did not happen, such as the end of an episode, stays empty."""
        self._writer.writerow(
            {"updates": state.updates, "steps": state.steps, "gradient_norm": info.gradient_norm, **info.metrics}
        )
        self._stream.flush()

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


class TensorBoardLog:
    """Event files, with simulator steps as the axis."""

    def __init__(self, folder: Path) -> None:
        """Write into a folder.

        Raises:
            RequestError: TensorBoard is not installed.
        """
        try:
            home: Any = importlib.import_module("torch.utils.tensorboard")
        except ImportError as error:
            raise RequestError(f"a TensorBoard log needs the package tensorboard ({error}); or log as CSV") from error
        self._writer = home.SummaryWriter(str(folder))

    def write(self, state: PpoState, info: StepInfo) -> None:
        """All metrics."""
        for name, value in info.metrics.items():
            self._writer.add_scalar(f"ppo/{name}", value, state.steps)

    def close(self) -> None:
        """Write what is waiting."""
        self._writer.close()


def _rows(path: Path, updates: int) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise RequestError(f"{path}: is not a log of ppo; choose another file")
        return [row for row in reader if int(row["updates"]) <= updates]
