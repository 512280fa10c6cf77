"""Threat models: put to work on the kit's games, from every seat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import product

import numpy as np

from sparring.access import Access
from sparring.attack_game import AttackGame, Side
from sparring.attacking import attack
from sparring.budgets import BudgetKind
from sparring.forms import Form
from sparring.game import Game
from sparring.policy import Policy
from sparring.simulated.attack_game import SimulatedAttackGame
from sparring.simulated.game import SimulatedGame
from sparring.testing.arena import GAMES, benign_of
from sparring.testing.bench import Bench, Done, Held, Inputs, Setting
from sparring.testing.cases import Case, amount_at, usable
from sparring.testing.drifting import DriftGame
from sparring.testing.pixels import drift_pixels
from sparring.testing.sampled_arena import WORLDS, pilot_for
from sparring.testing.sampled_charging import SampledCase, usable_sampled
from sparring.testing.subject import Subject
from sparring.threat import ThreatModel

__all__ = ["ThreatBench", "threat_declaration"]


def threat_declaration(subject: Subject) -> None:
    """Its budget is a plain BudgetKind with all of its options, `benign` used or refused, `nested` True or False."""
    plugin = subject.plugin
    assert issubclass(plugin, ThreatModel)
    budget, benign, nested = plugin.budget, plugin.benign, plugin.nested
    kinds = [plugin.configured(options).budget_kind(form) for options in subject.variants for form in plugin.forms]
    other = [kind for kind in kinds if type(kind) is not BudgetKind]
    faults = {
        f"budget is a {type(budget).__name__}": type(budget) is not BudgetKind,
        f"budget_kind gives {other[0] if other else None!r}": bool(other),
        f"benign is {benign!r}": benign not in ("used", "refused"),
        f"nested is {nested!r}": not isinstance(nested, bool),
    }
    for fault, found in faults.items():
        if found:
            raise subject.failure(
                fault, "declare a BudgetKind of sparring.budgets, benign = 'used' or 'refused', nested = True or False"
            )


@dataclass(frozen=True, eq=False)
class _Place:
    """A game and a seat in which the threat is tried with some options."""

    label: str
    form: Form
    maker: Callable[[], Game]
    seat: int | None
    threat: ThreatModel

    def benign(self, game: Game) -> Policy | None:
        """What the other seat does where the attacker has no control, if the threat asks for it."""
        return benign_of(game, self.seat) if self.threat.benign == "used" else None


@dataclass(frozen=True, eq=False)
class ThreatBench(Bench):
    """Attacks the kit's games with one threat model."""

    @property
    def trials(self) -> int:
        """The kit's own worlds are quick."""
        return 40

    def settings(self) -> list[Setting]:
        """Every game of the claimed forms, from every seat, with every choice of its options."""
        exact = [Setting(place.label, place.form, partial(self._run, place)) for place in self._places]
        return exact + [Setting(c.label, Form.SIMULATED, partial(self._play, c)) for c in self._simulated]

    def _run(self, place: _Place, seed: int) -> Done:
        """Charge the threat and let victims and attackers meet."""
        game = place.maker()
        benign = place.benign(game)
        inputs = Inputs(game=game, benign=benign)
        duel = self._attack(place, game, benign, amount_at(place.threat.budget_kind(place.form), 0.5))
        rng = np.random.default_rng(seed)
        victim, attacker = duel.draw(Side.VICTIM, rng), duel.draw(Side.ATTACKER, rng)
        strongest = duel.best_response(victim)
        values = [float(duel.measure(victim, policy, rng)) for policy in (attacker, strongest)]
        policies = [Held(victim, Side.VICTIM, duel), *(Held(p, Side.ATTACKER, duel) for p in (attacker, strongest))]
        access: list[Access] = [part.access for part in duel.charged]
        return Done((access, values), inputs, tuple(policies), duel)

    def _play(self, case: SampledCase, seed: int) -> Done:
        """Charge the threat and let a victim meet drawn attackers."""
        game = case.maker()
        inputs = Inputs(game=game)
        duel, rng = case.attacked(game, amount_at(case.kind, 0.5)), np.random.default_rng(seed)
        victim = case.victim(game)
        attackers = [duel.draw(Side.ATTACKER, rng) for _ in range(2)]
        values = [duel.measure(victim, attacker, rng, 6).returns for attacker in attackers]
        policies = (Held(victim, Side.VICTIM, duel), *(Held(each, Side.ATTACKER, duel) for each in attackers))
        access: list[Access] = [part.access for part in duel.charged]
        return Done((access, values), inputs, policies, duel)

    @cached_property
    def sampled_cases(self) -> list[SampledCase]:
        """The kit's simulated games that the threat does not decline."""
        return usable_sampled(self._simulated, self.nothing_to_see)

    @property
    def _simulated(self) -> list[SampledCase]:
        found: list[SampledCase] = []
        lonely = getattr(self.subject.plugin, "benign", None) == "used"  # the kit's simulated games have one agent
        for options in self.subject.variants if self.subject.simulated and not lonely else ():
            threat = self.subject.plugin.configured(options)
            assert isinstance(threat, ThreatModel)
            words = "".join(f", {name}={choice}" for name, choice in options.items())
            for maker in (*WORLDS, drift_pixels):
                attacked = partial(self._charged, threat)
                kind = threat.budget_kind(Form.SIMULATED)
                found.append(SampledCase(f"{maker().spec}{words}", maker, kind, attacked, _victim))
        return found

    def _charged(self, threat: ThreatModel, game: SimulatedGame, amount: float) -> SimulatedAttackGame:
        duel = attack(game, threat, amount, registry=self.subject.registry)
        assert isinstance(duel, SimulatedAttackGame)
        return duel

    @cached_property
    def cases(self) -> list[Case]:
        """Every game that the threat does not decline, at any budget."""
        found = []
        for place in self._places:
            game = place.maker()
            make = partial(self._fresh_attack, place)
            found.append(
                Case(place.label, game, place.seat, place.benign(game), place.threat.budget_kind(place.form), make)
            )
        return usable(found, self.nothing_to_see)

    @cached_property
    def _places(self) -> list[_Place]:
        made = []
        for options in self.subject.variants:
            threat = self.subject.plugin.configured(options)
            assert isinstance(threat, ThreatModel)
            words = "".join(f", {name}={choice}" for name, choice in options.items())
            for form in self.subject.exact_forms:
                for maker, seat in product(GAMES[form], (0, 1)):
                    game = maker()
                    if game.players == 2 or seat == 0:
                        label = f"{game.spec}, seat {seat}{words}"
                        made.append(_Place(label, form, maker, seat if game.players == 2 else None, threat))
        return made

    def _fresh_attack(self, place: _Place, amount: float) -> AttackGame:
        game = place.maker()
        return self._attack(place, game, place.benign(game), amount)

    def _attack(self, place: _Place, game: Game, benign: Policy | None, amount: float) -> AttackGame:
        registry = self.subject.registry
        return attack(game, place.threat, amount, victim_player=place.seat, benign=benign, registry=registry)


def _victim(game: SimulatedGame) -> Policy:
    """One that draws and remembers, so that it is seen whether chance and memory of episodes mix."""
    assert isinstance(game, DriftGame)
    return pilot_for(game, noise=0.2, memory=0.5)
