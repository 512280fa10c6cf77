"""The one door to Gymnasium: import it when first needed, find environments, reword its complaints."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import re
import warnings
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

from sparring.errors import MissingError, RequestError

__all__ = ["engine", "engine_faults", "known_ids", "nearest_ids", "with_atari"]

EXTRAS = {"mujoco": "'sparring[mujoco]'", "ale": "'sparring[atari]'", "cv2": "'sparring[atari]'"}
NAME = re.compile(r"(?P<base>.*?)(?:-v(?P<version>\d+))?\Z")


def engine() -> ModuleType:
    """Import gymnasium.

    Raises:
        RequestError: it is not installed.
    """
    try:
        return importlib.import_module("gymnasium")
    except ImportError as error:
        raise MissingError(
            f"Gymnasium's environments need the package gymnasium ({error}): "
            "pip install 'sparring[mujoco]' or 'sparring[atari]'"
        ) from error


def with_atari(wanted: str) -> ModuleType:
    """Import gymnasium with the Atari games registered.

    Raises:
        RequestError: ale-py is not installed.
    """
    gymnasium = engine()
    try:
        ale = importlib.import_module("ale_py")
    except ImportError as error:
        raise MissingError(f"{wanted}: needs the package ale-py ({error}): pip install 'sparring[atari]'") from error
    if not any(name.startswith("ALE/") for name in gymnasium.registry):
        gymnasium.register_envs(ale)
    ale.ALEInterface.setLoggerMode(ale.LoggerMode.Error)  # else every process greets on standard error
    return gymnasium


def known_ids() -> list[str]:
    """Names of all registered environments, without those that only say where they have gone."""
    registry = engine().registry
    return sorted(name for name, entry in registry.items() if not _gone(entry.entry_point))


def _gone(maker: object) -> bool:
    return getattr(maker, "__name__", "").startswith("_raise_")


def nearest_ids(name: str, known: Iterable[str]) -> str:
    """Which environments were probably meant: versions of the same one, newest first, else names that look alike."""
    ids = list(known)
    base = _split(name)[0].lower()
    same = sorted((each for each in ids if _split(each)[0].lower() == base), key=_split, reverse=True)
    lower = {each.lower(): each for each in sorted(ids, key=_split)}
    alike = [lower[each] for each in difflib.get_close_matches(name.lower(), lower, n=3, cutoff=0.5)]
    found = (same or alike)[:3]
    return f"nearest: {', '.join(repr(each) for each in found)}" if found else "there is none like it"


def _split(name: str) -> tuple[str, int]:
    parts = NAME.match(name)
    assert parts is not None  # the expression matches any text
    return parts["base"], int(parts["version"] or -1)


@contextlib.contextmanager
def engine_faults(spec: str) -> Iterator[None]:
    """Make what an environment raises while it is made one line, and keep advice on versions and scene files quiet.

    Raises:
        RequestError: in place of anything that Gymnasium or the environment raises.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r".*is out of date")
            warnings.filterwarnings("ignore", message=r".*Overriding environment")
            warnings.filterwarnings("ignore", message=r"compiler attribute '.*' is deprecated")
            yield
    except RequestError:
        raise
    except ImportError as error:
        raise RequestError(f"{spec}: needs a package that is missing: {one_line(error)}{_remedy(error)}") from error
    except Exception as error:  # an environment is anybody's code
        if type(error).__name__ == "DependencyNotInstalled":
            raise RequestError(f"{spec}: needs a package that is missing: {one_line(error)}{_remedy(error)}") from error
        raise RequestError(f"{spec}: cannot be made: {type(error).__name__}: {one_line(error)}") from error


def _remedy(error: BaseException) -> str:
    text = str(error).lower()
    found = next((extra for name, extra in EXTRAS.items() if name in text), None)
    return "" if found is None else f": pip install {found}"


def one_line(error: BaseException, limit: int = 240) -> str:
    """An error's message on one line."""
    text = " ".join(re.sub(r"\x1b\[\d+m", "", str(error)).split()) or type(error).__name__
    return text if len(text) <= limit else text[: limit - 4] + " ..."


def is_mujoco(environment: Any) -> bool:
    """Whether an unwrapped environment simulates with MuJoCo."""
    return type(getattr(environment, "data", None)).__name__ == "MjData"
