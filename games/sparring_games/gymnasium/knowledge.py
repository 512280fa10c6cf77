"""What is known of environments beyond what they say of themselves: least returns, and sizes of their variants."""

from __future__ import annotations

import math
import re

__all__ = ["least_return", "pushed_bodies", "variant_of_size"]

STEP_LEAST = {
    "CartPole": 0.0,  # 1 a step
    "InvertedPendulum": 0.0,  # 1 a step, 0 at the fall
    "MountainCar": -1.0,
    "Acrobot": -1.0,
    "Pendulum": -(math.pi**2 + 0.1 * 8.0**2 + 0.001 * 2.0**2) * (1 + 1e-12),  # its torque is clipped inside
    "FrozenLake": 0.0,
}
"""Least reward of a step, by name without version; only where no action, however large, gives less."""
EPISODE_LEAST = {"ALE/Pong": -21.0, "ALE/Breakout": 0.0, "ALE/Freeway": 0.0}
"""Least return of an episode, by the rules of the game."""
PUSHED = {
    "InvertedPendulum": ("pole",),
    "HalfCheetah": ("torso", "bfoot", "ffoot"),
    "Swimmer": ("torso",),
    "Hopper": ("foot",),
    "Walker2d": ("foot", "foot_left"),
    "Ant": ("torso",),
    "Humanoid": ("torso",),
    "InvertedDoublePendulum": ("pole2",),
    "Reacher": ("body0",),
}
"""Bodies on which an adversary's forces act.

The first five are those of Pinto, Davidson, Sukthankar, Gupta 2017 (RARL), section 4.1, which says of the swimmer `the
center`, where the environments released with it (lerrel/gym-adv) push the torso. The other four are in those
environments alone.
"""
OBSERVATIONS = {
    ("Ant", 27): "gym:Ant-v4",
    ("Ant", 105): "gym:Ant-v5",
    ("Ant", 111): "gym:Ant-v4(use_contact_forces=true)",
    ("Humanoid", 376): "gym:Humanoid-v4",
    ("Humanoid", 348): "gym:Humanoid-v5",
    ("Reacher", 11): "gym:Reacher-v4",
    ("Reacher", 10): "gym:Reacher-v5",
    ("InvertedDoublePendulum", 11): "gym:InvertedDoublePendulum-v4",
    ("InvertedDoublePendulum", 9): "gym:InvertedDoublePendulum-v5",
    ("Hopper", 12): "gym:Hopper-v4(exclude_current_positions_from_observation=false)",
    ("Walker2d", 18): "gym:Walker2d-v4(exclude_current_positions_from_observation=false)",
    ("HalfCheetah", 18): "gym:HalfCheetah-v4(exclude_current_positions_from_observation=false)",
}
"""Which variant of a robot gives observations of that size, where several exist."""


def least_return(identifier: str, plain: bool, time_limit: int | None) -> float | None:
    """A number below which no return of an episode lies.

    Args:
        identifier: Gymnasium's id.
        plain: whether the environment has its own settings, with no option that could change rewards.
        time_limit: steps of an episode at most.
    """
    name = _base(identifier)
    if not plain:
        return None
    if name in EPISODE_LEAST:
        return EPISODE_LEAST[name]
    step = STEP_LEAST.get(name)
    if step is None:
        return None
    if step >= 0:
        return 0.0
    return None if time_limit is None else step * time_limit


def variant_of_size(identifier: str, shape: tuple[int, ...]) -> str | None:
    """The spec of a variant of the same robot with observations of that shape."""
    return OBSERVATIONS.get((_base(identifier), shape[0])) if len(shape) == 1 else None


def pushed_bodies(identifier: str) -> tuple[str, ...]:
    """Bodies that an adversary's forces usually act on, where that is known."""
    return PUSHED.get(_base(identifier), ())


def _base(identifier: str) -> str:
    return re.sub(r"-v\d+\Z", "", identifier)
