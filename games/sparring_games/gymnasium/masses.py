"""Capsule masses of the old simulator, which published agents were trained with.

MuJoCo up to 2.1 gave a capsule of radius r and cylinder length L the mass density * pi * r^2 * (L + r), so that its
two end caps together counted as 3/4 of a ball; since then it has been density * pi * r^2 * (L + 4r/3).
"""

from __future__ import annotations

import importlib
import math
from typing import Any

from sparring.errors import RefusedError
from sparring_games.gymnasium.engine import is_mujoco

__all__ = ["capsule_mass", "write_legacy_masses"]


def capsule_mass(density: float, radius: float, half_length: float) -> float:
    """Mass of a capsule as the old simulator computed it; lengths in metres, density in kg/m^3, mass in kg."""
    return density * math.pi * radius**2 * (2 * half_length + radius)


def write_legacy_masses(environment: Any, spec: str) -> None:
    """Compile an environment's model anew with the old masses; capsules that state their mass keep it.

    Raises:
        RefusedError: the environment does not simulate with MuJoCo.
    """
    inside = environment.unwrapped
    if not is_mujoco(inside):
        raise RefusedError(
            f"{spec}: masses=legacy is for MuJoCo's robots, this environment has no capsules; leave it out"
        )
    mujoco: Any = importlib.import_module("mujoco")
    scene = mujoco.MjSpec.from_file(inside.fullpath)
    sizes = scene.compile().geom_size
    for geom in scene.geoms:
        if geom.type == mujoco.mjtGeom.mjGEOM_CAPSULE and math.isnan(geom.mass):
            radius, half_length = sizes[geom.id][:2]
            geom.mass = capsule_mass(geom.density, float(radius), float(half_length))
    inside.model = scene.compile()
    inside.data = mujoco.MjData(inside.model)
    inside.mujoco_renderer = None  # it would draw the model that was; nothing here draws
