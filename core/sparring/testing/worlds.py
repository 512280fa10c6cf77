"""Checks of the worlds of simulated games."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.errors import SparringError
from sparring.simulated.game import SimulatedGame
from sparring.simulated.spaces import Box, Space
from sparring.simulated.world import Step, World
from sparring.testing.check import CheckFailure
from sparring.testing.games import GameBench

__all__ = ["states_are_set_back", "worlds_keep_their_contract"]

Array = NDArray[Any]
SEEDS = (7, 8, 9)
STEPS = 30
"""Steps of an episode that are looked at."""


def worlds_keep_their_contract(bench: GameBench) -> None:
    """Observations fit their space; episodes end for good, rest where they are not to move, and obey their seeds."""
    for label, game in bench.simulated_games:
        world = game.world(len(SEEDS))
        try:
            for look in (_episodes, _rest, _begun_anew, _requests):
                fault = look(game, world)
                if fault:
                    raise _failure(bench, fault, label)
        finally:
            world.close()


def _failure(bench: GameBench, fault: str, label: str) -> CheckFailure:
    return bench.subject.failure(fault, "see sparring.simulated.world.World for what a world promises", label)


def actions_for(space: Space, steps: int, batch: int) -> list[Array]:
    """The same legal actions every time, [steps, batch, *action]."""
    rng = np.random.default_rng(45)
    if isinstance(space, Box):
        low, high = np.maximum(space.low, -1.0), np.minimum(space.high, 1.0)
        return [rng.uniform(low, high, (batch, *space.shape)).astype(space.dtype) for _ in range(steps)]
    return [rng.integers(space.count, size=batch) for _ in range(steps)]


def _episodes(game: SimulatedGame, world: World) -> str:
    """Shapes, types, limits and numbers along some episodes, to their end where it comes soon."""
    shown = world.reset(SEEDS)
    fault, ended = _unlike(game.observation, shown), np.zeros(len(SEEDS), dtype=np.bool_)
    total = np.zeros(len(SEEDS))
    limit = STEPS if game.time_limit is None else game.time_limit
    for count, actions in enumerate(actions_for(game.action, limit, len(SEEDS)), start=1):
        before, step = np.array(world.observations), world.step(actions)
        total += step.rewards
        faults = {
            fault: bool(fault),
            _unlike(game.observation, step.observations): bool(_unlike(game.observation, step.observations)),
            "rewards are no finite numbers [batch]": np.shape(step.rewards) != ended.shape
            or not np.isfinite(step.rewards).all(),
            "a finished episode is running again": bool((ended & ~step.finished).any()),
            "a finished episode still earns or moves": bool((step.rewards[ended] != 0).any())
            or before[ended].tobytes() != np.asarray(step.observations)[ended].tobytes(),
            "`observations` are not those of the last step": np.asarray(world.observations).tobytes()
            != np.asarray(step.observations).tobytes(),
            f"it is not cut after the {game.time_limit} steps of its time limit": count == game.time_limit
            and not step.finished.all(),
        }
        found = [told for told, wrong in faults.items() if wrong]
        if found:
            return found[0]
        ended = np.array(step.finished)
    if game.least is not None and (total < game.least - 1e-9).any():
        return f"an episode returns {total.min():.9g}, less than the game's least return {game.least:.9g}"
    return ""


def _unlike(space: Space, shown: Array) -> str:
    """How observations differ from their space; nothing where they fit."""
    if shown.shape[1:] != space.shape or shown.dtype != np.dtype(space.dtype):
        return f"observations are {shown.dtype} of shape {list(shown.shape[1:])}, the space is {space.dtype} {space}"
    if not np.isfinite(shown).all():
        return "an observation holds something that is no finite number"
    inside = (shown >= 0) & (shown < space.count) if not isinstance(space, Box) else _within(space, shown)
    return "" if inside.all() else "an observation lies outside of its space"


def _within(space: Box, shown: Array) -> Array:
    room = 1e-6 * np.maximum(1.0, np.abs(shown.astype(np.float64)))
    return np.asarray((shown >= space.low - room) & (shown <= space.high + room))


def _rest(game: SimulatedGame, world: World) -> str:
    """Episodes that are not active stay as they are."""
    world.reset(SEEDS)
    (actions,) = actions_for(game.action, 1, len(SEEDS))
    before = np.array(world.observations)
    step = world.step(actions, np.array([False, True, False]))
    still = np.asarray(step.observations)[[0, 2]].tobytes() == before[[0, 2]].tobytes()
    return "" if still and not step.rewards[[0, 2]].any() else "episodes move that are not among the active ones"


def _begun_anew(game: SimulatedGame, world: World) -> str:
    """An episode begun anew is that of its seed, and those beside it go on as if nothing had happened."""
    actions = actions_for(game.action, 4, len(SEEDS))
    first = _told(world, SEEDS, actions)
    world.reset(SEEDS)
    world.step(actions[0])
    middle = np.array([False, True, False])
    shown = np.asarray(world.restart(middle, [SEEDS[1]]))
    steps = [world.step(each) for each in actions[1:]]
    for place, step in enumerate(steps, start=1):
        if np.asarray(step.observations)[[0, 2]].tobytes() != first[place][[0, 2]].tobytes():
            return "beginning one episode anew disturbs the ones beside it"
    alone = game.world(1)
    try:
        same = np.asarray(alone.reset([SEEDS[1]]))[0].tobytes() == shown[1].tobytes()
    finally:
        alone.close()
    return "" if same else "an episode begun anew, or in a world of another size, is not that of its seed"


def _told(world: World, seeds: tuple[int, ...], actions: list[Array]) -> list[Array]:
    world.reset(seeds)
    return [np.array(world.step(each).observations) for each in actions]


def _requests(game: SimulatedGame, world: World) -> str:
    """Wrong requests are refused in words."""
    (actions,) = actions_for(game.action, 1, len(SEEDS))
    wrong: dict[str, Callable[[], object]] = {
        "no seed": lambda: world.reset([]),
        "too many seeds": lambda: world.reset([*SEEDS, 10]),
        "a seed below 0": lambda: world.reset([-1]),
        "actions for another number of episodes": lambda: world.step(actions[:-1]),
    }
    for what, ask in wrong.items():
        world.reset(SEEDS)
        try:
            ask()
        except SparringError:
            continue
        except Exception as error:
            return f"{what} raises {type(error).__name__}: {error}"
        return f"{what} is accepted"
    return ""


def states_are_set_back(bench: GameBench) -> None:
    """A saved state, sent through pickle and loaded, goes on bit for bit as it did, or a line says why it cannot."""
    for label, game in bench.simulated_games:
        actions = actions_for(game.action, 9, len(SEEDS))
        world, other = game.world(len(SEEDS)), game.world(len(SEEDS))
        try:
            world.reset(SEEDS)
            for each in actions[:3]:
                world.step(each)
            try:
                saved = pickle.dumps(world.save())
            except SparringError:  # some simulators hide part of their state, and say so
                continue
            first = [world.step(each) for each in actions[3:]]
            for again in (world, other):
                again.load(pickle.loads(saved))
                if not all(map(_same, first, [again.step(each) for each in actions[3:]])):
                    raise _failure(bench, "a state that is set back goes on otherwise than it did", label)
        finally:
            world.close()
            other.close()


def _same(one: Step, other: Step) -> bool:
    names = ("observations", "rewards", "terminated", "truncated")
    pairs = [(np.asarray(getattr(one, name)), np.asarray(getattr(other, name))) for name in names]
    return all(mine.tobytes() == theirs.tobytes() for mine, theirs in pairs)
