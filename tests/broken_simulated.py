"""Plugins of the simulated form: a sound one of several kinds, and ones that are broken in just one respect."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from broken_plugins import SoundSolver
from sparring.access import Ball, ObservationAccess
from sparring.budgets import LP_RADIUS
from sparring.errors import RequestError
from sparring.forms import Form
from sparring.metric import Metric
from sparring.oracle import Finding, Oracle
from sparring.plugin import NoOptions
from sparring.simulated import Box, Step
from sparring.source import GameSource, PolicyLoader
from sparring.testing.drift_duel import DriftDuel
from sparring.testing.drifting import DriftGame, DriftWorld, drift_push
from sparring.testing.pilots import Pilot, Pusher
from sparring.threat import ThreatModel

SIMULATED = frozenset({Form.SIMULATED})


# -- sound -----------------------------------------------------------------------------------------------------------


class SoundHaze(ThreatModel):
    name = "sound-haze"
    summary = "what the victim sees moves within a ball"
    forms = SIMULATED
    budget = LP_RADIUS

    def access(self, game, victim_player, benign):
        return ObservationAccess(ball=Ball("2"))


class SoundPush(Oracle):
    name = "sound-push"
    summary = "the same push at every step"
    forms = SIMULATED
    attacker: ClassVar[type[Pusher]] = Pusher

    def attack(self, duel, victim, *, effort, rng):
        width = sum(channel.width for channel in duel.channels)
        found = self.attacker(np.sign(rng.normal(size=(3, width))))
        return Finding(found, claimed=float(duel.measure(victim, found, rng)), steps=1)


class SoundSearcher(SoundSolver):
    name = "sound-searcher"
    forms = frozenset({Form.MATRIX, Form.SIMULATED})

    def row(self, duel, run, iteration, best):
        told = super().row(duel, run, iteration, best)
        if duel.game.form.exact:
            return told
        # On other episodes than those on which it was found the best one, which flatter it.
        return replace(told, last=duel.exploitability(best, run.score_effort, seed=run.seed + 70).lower)


class SoundPilots(PolicyLoader):
    name = "sound-pilots"
    summary = "a pilot that remembers, by the number of its outputs"
    forms = SIMULATED
    examples = ("any",)
    takes = "WORD"
    made: ClassVar[type[Pilot]] = Pilot

    def load(self, argument, game, player):
        if game is None or argument != "any":
            raise RequestError(f"{argument}: needs a game and the word any")
        return self.made(2 if isinstance(game.action, Box) else 3, 0.1, 0.5)


class SoundFigures(Metric):
    name = "sound-figures"
    summary = "what each attack leaves of the return"
    forms = SIMULATED

    def measure(self, duel, victim, attacks, rng):
        return {attack.oracle: attack.value for attack in attacks}


@dataclass(frozen=True, eq=False)
class Drifting(DriftGame):
    worlds: ClassVar[type[DriftWorld]] = DriftWorld
    duels: ClassVar[type[DriftDuel]] = DriftDuel

    def world(self, size, workers=0):
        return self.worlds(self, size)

    def attack_game(self, charged, victim_player):
        return self.duels(self, charged)


class SoundWorlds(GameSource):
    name = "sound-worlds"
    summary = "numbers that drift"
    forms = SIMULATED
    made: ClassVar[type[Drifting]] = Drifting

    def catalogue(self):
        return ("drift",)

    def game_options(self, name):
        return NoOptions

    def load(self, name, options):
        if name != "drift" or options:
            raise RequestError(f"unknown game {name!r} or option in {dict(options)}; there is drift")
        own = drift_push()
        return self.made(f"{self.name}:drift", own.observation, own.action, own.time_limit, own.least, own.noise)


SOUND_SIMULATED = [SoundHaze, SoundPush, SoundSearcher, SoundPilots, SoundFigures, SoundWorlds]


# -- worlds ----------------------------------------------------------------------------------------------------------


def worlds_of(name: str, **parts: type) -> type[GameSource]:
    """A source whose game has worlds or attack games of its own."""
    game = type(f"{name}Game", (Drifting,), {**parts, "__module__": __name__})
    source = type(name, (SoundWorlds,), {"made": game, "__module__": __name__})
    globals()[game.__name__], globals()[name] = game, source
    return source


class PaysTheDead(DriftWorld):
    """Goes on paying for episodes that have ended."""

    def step(self, actions, active=None):
        found = super().step(actions, active)
        return replace(found, rewards=np.where(found.finished & (found.rewards == 0), 1.0, found.rewards))


class Restless(DriftWorld):
    """Moves everything, whoever is active."""

    def step(self, actions, active=None):
        return super().step(actions)


class Disturbing(DriftWorld):
    """Beginning one episode anew shakes the others."""

    def restart(self, where, seeds):
        super().restart(where, seeds)
        self._at = np.where(where[:, None], self._at, self._at + 0.01)
        return self.observations


class Accepting(DriftWorld):
    """Takes whatever seed it is given."""

    def reset(self, seeds):
        return super().reset([abs(seed) for seed in seeds])


class Mistyped(DriftWorld):
    @property
    def observations(self):
        return self._at.astype(np.float32)


class Forgetting(DriftWorld):
    """Saves where the episodes are, and not how old."""

    def load(self, saved):
        age = self._age
        super().load(saved)
        self._age = age if len(age) == len(self._age) else self._age


class Crowded(DriftWorld):
    """Drifts further where more episodes stand side by side."""

    def step(self, actions, active=None) -> Step:
        self._forces = np.full_like(self._at, 0.01 * len(self._at))
        return super().step(actions, active)


class Generous(DriftDuel):
    """Charges four times the budget that it shows."""

    def __init__(self, game, charged):
        kinds = [part.budget.kind for part in charged]
        four = [kind.budget(min(kind.high, 4 * part.budget.value)) for kind, part in zip(kinds, charged, strict=True)]
        super().__init__(game, [replace(part, budget=budget) for part, budget in zip(charged, four, strict=True)])
        self.charged = tuple(charged)


class Lopsided(DriftDuel):
    """Pays the attacker half of what the victim loses."""

    def view(self, side, against, size=8):
        found = super().view(side, against, size)
        step = found.step
        found.step = lambda actions, active=None: replace(made := step(actions, active), rewards=made.rewards / 2)
        return found


class Startled(DriftDuel):
    """Plays other episodes where nobody attacks."""

    def play(self, victim, attacker, seeds):
        return super().play(victim, attacker, [seed + (attacker is None) for seed in seeds])


class Anchored(DriftDuel):
    def __init__(self, game, charged):
        super().__init__(game, charged)
        self.rule = lambda: 0


# -- oracles, loaders ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class CrowdWatcher(Pusher):
    """Pushes by what it sees in all episodes together."""

    def propose(self, view, memory, rng):
        given, after = super().propose(view, memory, rng)
        return given * np.sign(view.seen.mean()), after


class WatchesTheCrowd(SoundPush):
    attacker = CrowdWatcher

    def restore(self, document, duel):
        return CrowdWatcher(np.asarray(document["proposals"]))


@dataclass(frozen=True, eq=False)
class Surgeon(Pusher):
    """Turns the weights of the victim that it is shown."""

    reads_victim: ClassVar[bool] = True

    def propose(self, view, memory, rng):
        victim = getattr(view.victim, "whole", view.victim)
        if isinstance(victim, Pilot):
            victim.weights[0, 0] += 1.0
        return super().propose(view, memory, rng)


class OperatesOnTheVictim(SoundPush):
    attacker = Surgeon


class BoastsOfNoise(SoundPush):
    def attack(self, duel, victim, *, effort, rng):
        found = super().attack(duel, victim, effort=effort, rng=rng)
        return replace(found, claimed=found.claimed - 5.0)


@dataclass(frozen=True, eq=False)
class Strange(Pusher):
    def to_document(self):
        return {"kind": "nobody-knows"}


class CannotBeSaved(SoundPush):
    attacker = Strange


class Haunted(Pilot):
    """Keeps in mind what happened in the episode before."""

    def renew(self, memory, where):
        return memory


class LoadsHaunted(SoundPilots):
    made = Haunted


class WritesNothing(SoundPilots):
    """Claims memory and differentiability, and cannot be pickled."""

    def load(self, argument, game, player):
        found = super().load(argument, game, player)
        object.__setattr__(found, "rule", lambda: 0)
        return found


class TakesVectorsOnly(SoundPush):
    """Does not decline pictures, and breaks on them."""

    def attack(self, duel, victim, *, effort, rng):
        (_,) = duel.game.observation.shape
        return super().attack(duel, victim, effort=effort, rng=rng)


class FlattersItself(SoundSearcher):
    """Says that what it found is a fifth more robust than it is, where nobody can compute it."""

    def row(self, duel, run, iteration, best):
        told = super().row(duel, run, iteration, best)
        return told if duel.game.form.exact else replace(told, last=1.2 * told.last)


BROKEN_SIMULATED: list[tuple[str, type]] = [
    *[("worlds-keep-their-contract", worlds_of(f"Source{world.__name__}", worlds=world))
      for world in (PaysTheDead, Restless, Disturbing, Accepting, Mistyped)],
    ("states-are-set-back", worlds_of("SourceForgetting", worlds=Forgetting)),
    ("returns-do-not-depend-on-the-batch", worlds_of("SourceCrowded", worlds=Crowded)),
    ("budget-respected", worlds_of("SourceGenerous", duels=Generous)),
    ("stays-zero-sum", worlds_of("SourceLopsided", duels=Lopsided)),
    ("nominal-unchanged", worlds_of("SourceStartled", duels=Startled)),
    ("attack-games-pickle", worlds_of("SourceAnchored", duels=Anchored)),
    ("attackers-keep-episodes-apart", WatchesTheCrowd),
    ("leaves-inputs-alone", OperatesOnTheVictim),
    ("witness-attains-claim", BoastsOfNoise),
    ("policies-survive-saving", CannotBeSaved),
    ("episodes-stay-apart", LoadsHaunted),
    ("policies-pickle", WritesNothing),
    ("works-on-its-forms", TakesVectorsOnly),
    ("trace-agrees-with-evaluation", FlattersItself),
]  # fmt: skip
"""The check that catches it, and before which nothing does."""
