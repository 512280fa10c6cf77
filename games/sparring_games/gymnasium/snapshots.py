"""Copies of the whole state of an environment: simulator, counters and chance, layer by layer.

MuJoCo's data are copied whole, because the sensor readings and contact forces in it lag behind positions by a step
and cannot be computed again from them. Atari's state is cloned with its chance. Everything else is Python, and copied.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Iterator
from typing import Any

from sparring.simulated.faults import WorldError

__all__ = ["restore", "snapshot"]

FIXED = frozenset({"env", "spec", "metadata", "model", "mujoco_renderer", "_ezpickle_args", "_ezpickle_kwargs"})
"""What does not change while an environment is stepped, and what stands for another layer."""
FIXED_TYPES = ("gymnasium.spaces", "gymnasium.envs.registration")

Snapshot = tuple[dict[str, Any], ...]


def snapshot(environment: Any) -> Snapshot:
    """A copy of the state, outermost layer first.

    Raises:
        WorldError: something in it cannot be copied.
    """
    return tuple(
        {name: _copied(value, layer, name) for name, value in _changing(layer)} for layer in _layers(environment)
    )


def restore(environment: Any, saved: Snapshot) -> None:
    """Put a copy of a saved state into an environment of the same make."""
    for layer, values in zip(_layers(environment), saved, strict=True):
        for name in {name for name, _ in _changing(layer)} - set(values):
            delattr(layer, name)
        for name, value in values.items():
            _put(layer, name, value)


def _layers(environment: Any) -> Iterator[Any]:
    layer = environment
    while True:
        yield layer
        if layer is layer.unwrapped:
            return
        layer = layer.env


def _changing(layer: Any) -> list[tuple[str, Any]]:
    return [
        (name, value)
        for name, value in vars(layer).items()
        if name not in FIXED and not type(value).__module__.startswith(FIXED_TYPES)
    ]


def _copied(value: Any, layer: Any, name: str) -> Any:
    if type(value).__name__ == "ALEInterface":
        if value.getFloat("repeat_action_probability") > 0:
            raise WorldError(
                "the emulator holds actions by chance, and its saved state leaves out the one it holds: "
                "name the game as ale:NAME, which holds them itself, or give repeat_action_probability=0"
            )
        return value.cloneState(include_rng=True)
    if type(value).__name__ == "MjData":
        return copy.copy(value)
    try:
        return copy.deepcopy(value)
    except Exception as error:  # an environment may hold anything
        kind = f"{type(layer).__name__}.{name}"
        raise WorldError(f"{kind} cannot be copied ({type(error).__name__}), so this world has no save") from error


def _put(layer: Any, name: str, value: Any) -> None:
    now = vars(layer).get(name)
    if type(now).__name__ == "ALEInterface":
        now.restoreState(value)
    elif type(now).__name__ == "MjData":
        mujoco: Any = importlib.import_module("mujoco")
        mujoco.mj_copyData(now, layer.model, value)
    else:
        setattr(layer, name, copy.deepcopy(value))
