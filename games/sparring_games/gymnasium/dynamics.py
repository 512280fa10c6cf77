"""Forces on MuJoCo's bodies, and changes of masses, friction and damping; what is nominal comes back bit for bit."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.budgets import FORCE_BOUND, RELATIVE_CHANGE
from sparring.simulated.charging import moved
from sparring.simulated.knobs import Knob
from sparring_games.gymnasium.engine import is_mujoco

__all__ = ["Dynamics", "Turned", "knobs_of"]

Turned = Mapping[Knob, tuple[float, ...]]
Floats = NDArray[np.float64]
AXES = ("x", "y", "z")
POSES = 4
"""Poses in which it is seen along which axes a body can move at all."""
FIELDS = {
    "mass": ("body", ("body_mass", "body_inertia")),
    "friction": ("geom", ("geom_friction",)),
    "damping": ("dof", ("dof_damping",)),
}
"""What each parameter is in a model; a heavier body is a denser one, so that its inertia grows as well."""


def knobs_of(environment: Any, pushed: Sequence[str]) -> tuple[Knob, ...]:
    """All that can be changed of an environment's dynamics; nothing where it does not simulate with MuJoCo.

    Args:
        environment: what the recipe makes.
        pushed: bodies that forces usually act on; none for the first body that moves.
    """
    inside = environment.unwrapped
    if not is_mujoco(inside):
        return ()
    model = inside.model
    axes = {body: axes for body, axes in enumerate(_movable(model)) if axes}
    names = {body: _name(model, "body", body) for body in axes}
    usual = [name for name in pushed if name in names.values()] or list(names.values())[:1]
    forces = [Knob("force", names[body], FORCE_BOUND, axes[body], usual=names[body] in usual) for body in axes]
    touching = np.flatnonzero((model.geom_contype != 0) | (model.geom_conaffinity != 0)).tolist()
    damped = [joint for joint in range(model.njnt) if model.dof_damping[_dofs(model, joint)].any()]
    parameters = {
        "mass": [name for body, name in names.items() if model.body_mass[body] > 0],
        "friction": [_name(model, "geom", geom) for geom in touching],
        "damping": [_name(model, "jnt", joint) for joint in damped],
    }
    held = [Knob(kind, name, RELATIVE_CHANGE, held=True) for kind, found in parameters.items() for name in found]
    return (*forces, *held)


class Dynamics:
    """The knobs of one environment."""

    def __init__(self, environment: Any) -> None:
        """What the environment's model is now is nominal."""
        self._inside = environment.unwrapped
        self._nominal = self._inside.model
        self.turned: dict[Knob, tuple[float, ...]] = {}
        """What the knobs stand at, where that is not 0."""
        self._places: dict[Knob, tuple[int, list[int]]] = {}

    def turn(self, values: Turned) -> None:
        """Turn knobs, the others stay as they are."""
        merged = {**self.turned, **values}
        self.set({knob: numbers for knob, numbers in merged.items() if any(numbers)})

    def set(self, values: Turned) -> None:
        """Turn these knobs, and all others back to 0."""
        before, self.turned = self.turned, dict(values)
        bent = {knob: numbers for knob, numbers in values.items() if knob.held}
        if bent != {knob: numbers for knob, numbers in before.items() if knob.held}:
            self._inside.model = self._bent(bent) if bent else self._nominal
        for knob in (*before, *values):
            if not knob.held:
                self._inside.data.xfrc_applied[self._entries(knob)] = values.get(knob, 0.0)

    def _entries(self, knob: Knob) -> tuple[int, list[int]]:
        """Where a force stands among those that are applied."""
        if knob not in self._places:
            body = _place(self._nominal, "body", knob.target)
            self._places[knob] = body, [AXES.index(axis) for axis in knob.parts]
        return self._places[knob]

    def _bent(self, values: Turned) -> Any:
        """A copy of the nominal model with other parameters, and all that MuJoCo derives from them."""
        mujoco: Any = importlib.import_module("mujoco")
        model = copy.copy(self._nominal)
        for knob, (change,) in values.items():
            for field, rows in _rows(model, knob):
                numbers = getattr(model, field)
                numbers[rows] = _scaled(numbers[rows], change)
        mujoco.mj_setConst(model, mujoco.MjData(model))
        return model


def _scaled(nominal: Floats, change: float) -> Floats:
    """`nominal * (1 + change)`, rounded so that nothing is further from nominal than that."""
    step = np.nextafter(nominal * change, 0.0)
    return moved(nominal, np.where(nominal * change == 0, 0.0, step))


def _rows(model: Any, knob: Knob) -> list[tuple[str, Any]]:
    """Where a parameter stands in a model: names of arrays, and the rows in them."""
    kind, fields = FIELDS[knob.kind]
    if kind == "dof":
        return [(fields[0], _dofs(model, _place(model, "jnt", knob.target)))]
    return [(field, _place(model, kind, knob.target)) for field in fields]


def _dofs(model: Any, joint: int) -> slice:
    """Degrees of freedom of a joint."""
    low = int(model.jnt_dofadr[joint])
    return slice(low, int(model.jnt_dofadr[joint + 1]) if joint + 1 < model.njnt else model.nv)


def _name(model: Any, kind: str, place: int) -> str:
    """What MuJoCo calls a body, geom or joint; `geom13` where it has no name."""
    given: str = getattr(model, kind)(place).name
    return given or f"{kind}{place}"


def _place(model: Any, kind: str, name: str) -> int:
    """Where the thing of that name stands."""
    count = getattr(model, f"n{kind}")
    return next(place for place in range(count) if _name(model, kind, place) == name)


def _movable(model: Any) -> list[tuple[str, ...]]:
    """The axes along which a force moves each body: those in which its centre of mass can move in some pose."""
    mujoco: Any = importlib.import_module("mujoco")
    data, rng = mujoco.MjData(model), np.random.default_rng(0)
    reach = np.zeros((model.nbody, 3))
    for _ in range(POSES):
        data.qpos[:] = model.qpos0 + rng.uniform(-0.5, 0.5, model.nq)
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        for body in range(model.nbody):
            jacobian = np.zeros((3, model.nv))
            mujoco.mj_jacBodyCom(model, data, jacobian, None, body)
            reach[body] += np.abs(jacobian).sum(axis=1)
    return [tuple(np.array(AXES)[row > 1e-9].tolist()) for row in reach]
