"""From a victim to its robust critics: what it does is collected, and each is trained on it; needs torch."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

from sparring.policy import Policy
from sparring.simulated.attack_game import SimulatedAttackGame
from sparring.simulated.contest import normalised
from sparring.simulated.spaces import Box
from sparring.streams import stream
from sparring_plugins.critics.critic import LearnedCritic
from sparring_plugins.critics.keeping import Keeper
from sparring_plugins.critics.learning import advanced, critic_of, first_state
from sparring_plugins.critics.settings import CriticSettings
from sparring_plugins.critics.transitions import Transitions, collected
from sparring_plugins.oracles._sarsa_options import SarsaOptions

__all__ = ["critics_of"]

OFTEN = 5
"""Epochs between two writings of a critic."""


def critics_of(
    duel: SimulatedAttackGame, victim: Policy, options: SarsaOptions, transitions: int, seed: int
) -> tuple[list[LearnedCritic], int]:
    """The critics that the options ask for, in their order, and the simulator steps that were spent.

    Those of one spread learn from the same transitions.
    """
    wanted, spent = options.critics(), 0
    found: list[LearnedCritic] = []
    with _progress() as bar:
        for spread, some in groupby(wanted, lambda settings: settings.spread):
            keeper = None
            if options.keep:
                of = _identity(duel, victim, spread, transitions, seed)
                keeper = Keeper(Path(options.keep).expanduser(), of)
            seen = _transitions(duel, victim, spread, transitions, seed, keeper, bar)
            spent += seen.count
            for settings in some:
                what = f"critic {len(found) + 1} of {len(wanted)}"
                found.append(_trained(settings, seen, duel.game.action, seed, keeper, bar, what))
    return found, spent


def _transitions(
    duel: SimulatedAttackGame,
    victim: Policy,
    spread: float,
    count: int,
    seed: int,
    keeper: Keeper | None,
    bar: Any,
) -> Transitions:
    kept = None if keeper is None else keeper.transitions()
    if kept is not None:
        return kept
    task = bar.add_task("watching the victim", total=count)
    rng = stream(seed, "transitions")
    seen = collected(duel, victim, count, spread, rng, lambda done: bar.update(task, completed=done))
    if keeper is not None:
        keeper.keep_transitions(seen)
    return seen


def _trained(
    settings: CriticSettings, seen: Transitions, action: Any, seed: int, keeper: Keeper | None, bar: Any, what: str
) -> LearnedCritic:
    assert isinstance(action, Box)  # the oracle has seen to that
    state = None if keeper is None else keeper.state(settings)
    state = first_state(settings, seen, action, seed) if state is None else state
    task = bar.add_task(what, total=settings.epochs, completed=state.epochs)
    while state.epochs < settings.epochs:
        state = advanced(settings, state, seen, seed)
        bar.update(task, completed=state.epochs, description=f"{what}: error {state.loss:.3g}")
        if keeper is not None and (state.epochs % OFTEN == 0 or state.epochs == settings.epochs):
            keeper.keep_state(settings, state)
    return critic_of(settings, state, seen)


def _identity(duel: SimulatedAttackGame, victim: Policy, spread: float, count: int, seed: int) -> str:
    """What decides the transitions, as text."""
    numbers = json.dumps(victim.to_document(), sort_keys=True)
    told = hashlib.blake2b(numbers.encode(), digest_size=16).hexdigest()
    return json.dumps([duel.game.spec, told, normalised(duel.channels), count, spread, seed])


@contextmanager
def _progress() -> Iterator[Any]:
    """Bars on standard error, if that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        yield bar
