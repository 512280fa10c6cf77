"""A learner in one file, from which it goes on bit for bit; the file is whole or absent."""

from __future__ import annotations

import json
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sparring.errors import RequestError
from sparring.files import write_whole
from sparring.simulated.spaces import Box, Discrete, Space
from sparring_plugins.learners.adam import Averages
from sparring_plugins.learners.moments import Moments
from sparring_plugins.learners.settings import PpoSettings
from sparring_plugins.learners.state import Ongoing, PpoState
from sparring_plugins.learners.world_states import packed, unpacked

__all__ = ["read_state", "write_state"]

SCHEMA = "sparring.ppo/1"
Arrays = dict[str, NDArray[Any]]


def write_state(state: PpoState, settings: PpoSettings, path: Path) -> None:
    """Write numbers as arrays, the rest as JSON text, and the world's state as the bytes of its pickle.

    Raises:
        RequestError: it cannot be written.
    """
    facts = {
        "schema": SCHEMA,
        "sparring": version("sparring"),
        "settings": settings.model_dump(mode="json"),
        "action": _told(state.action),
        "observation_dtype": state.observation.dtype,
        **{name: getattr(state, name) for name in ("seed", "updates", "steps")},
        "adam_count": state.averages.count,
        "counts": [state.seen.count, state.gained.count],
    }
    arrays: Arrays = {
        "facts": np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8),
        "low": state.observation.low, "high": state.observation.high,
        "weights": state.weights.numpy(),
        "adam_mean": state.averages.mean.numpy(), "adam_square": state.averages.square.numpy(),
        "seen_mean": state.seen.mean, "seen_spread": state.seen.spread,
        "gained_mean": state.gained.mean, "gained_spread": state.gained.spread,
    }  # fmt: skip
    if isinstance(state.action, Box):
        arrays |= {"action_low": state.action.low, "action_high": state.action.high}
    if state.ongoing is not None:
        arrays["world"] = np.frombuffer(packed(state.ongoing.world), dtype=np.uint8)
        arrays |= {name: getattr(state.ongoing, name) for name in _ONGOING}
    with write_whole(path) as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]  # numpy's stub takes each array for its own option


def read_state(settings: PpoSettings, path: Path) -> PpoState:
    """Read it again.

    Raises:
        RequestError: it is damaged, is no such file, or was written with other settings or by another version.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
        facts = json.loads(arrays["facts"].tobytes())
        _check(facts, settings, path)
        return _restored(arrays, facts, path)
    except FileNotFoundError as error:
        raise RequestError(f"{path}: there is no such file") from error
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise RequestError(
            f"{path}: not a learner's checkpoint, or damaged ({type(error).__name__}: {error})"
        ) from error


def _restored(arrays: Arrays, facts: dict[str, Any], path: Path) -> PpoState:
    weights, mean, square = (torch.from_numpy(arrays[name]) for name in ("weights", "adam_mean", "adam_square"))
    seen, gained = facts["counts"]
    ongoing = None
    if "world" in arrays:
        kept = {name: arrays[name] for name in _ONGOING}
        ongoing = Ongoing(world=unpacked(arrays["world"].tobytes(), path), **kept)
    return PpoState(
        observation=Box(arrays["low"], arrays["high"], facts["observation_dtype"]),
        action=_space(facts["action"], arrays),
        weights=weights,
        averages=Averages(mean, square, int(facts["adam_count"])),
        seen=Moments(seen, arrays["seen_mean"], arrays["seen_spread"]),
        gained=Moments(gained, arrays["gained_mean"], arrays["gained_spread"]),
        ongoing=ongoing,
        **{name: int(facts[name]) for name in ("seed", "updates", "steps")},
    )


def _check(facts: dict[str, Any], settings: PpoSettings, path: Path) -> None:
    if facts["schema"] != SCHEMA:
        raise RequestError(f"{path}: schema {facts['schema']!r}, expected {SCHEMA!r}")
    written, ours = facts["sparring"], version("sparring")
    if written != ours:  # a world's state is whatever that version kept of it
        raise RequestError(f"{path}: written by sparring {written}, this is {ours}; go on with that one, or train anew")
    wanted = settings.model_dump(mode="json")
    found = facts["settings"]
    changed = [f"{name}={found.get(name)}" for name in wanted if found.get(name) != wanted[name]]
    if changed:
        raise RequestError(f"{path}: was trained with {', '.join(changed)}; give the same settings to go on")


def _told(space: Space) -> dict[str, Any]:
    return {"count": space.count} if isinstance(space, Discrete) else {"dtype": space.dtype}


def _space(told: dict[str, Any], arrays: Arrays) -> Space:
    if "count" in told:
        return Discrete(int(told["count"]))
    return Box(arrays["action_low"], arrays["action_high"], told["dtype"])


_ONGOING = ("memory", "discounted", "returns", "lengths")
