"""Bound backends of tables: they certify drawn victims in the kit's Markov games, held against the exact values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from sparring.attack_game import Side
from sparring.certificate import Certificate
from sparring.certificates.tabular import TabularBound
from sparring.errors import RefusedError
from sparring.markov.attack_game import MarkovAttackGame
from sparring.markov.policy import MarkovPolicy
from sparring.testing.arena import Stage, stages
from sparring.testing.bench import Bench, Done, Inputs, Setting

__all__ = ["TableBench", "certificates_are_sound"]

VICTIMS = 4
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class TableBench(Bench):
    """Lets one backend certify."""

    def settings(self) -> list[Setting]:
        """Several victims in every attack game of the kit on the claimed forms."""
        every = [stage for form in self.subject.exact_forms for stage in stages(form)]
        return [Setting(stage.label, stage.form, partial(self._run, stage)) for stage in every]

    def _run(self, stage: Stage, seed: int) -> Done:
        backend = self.subject.make()
        assert isinstance(backend, TabularBound)
        duel, rng = stage.make(), np.random.default_rng(39)
        if not isinstance(duel, MarkovAttackGame):
            raise RefusedError(f"the {duel.game.form} form has no tables")
        drawn = [duel.draw(Side.VICTIM, rng) for _ in range(VICTIMS)]
        # Nearly the same everywhere, so that little variation is met too.
        alike = np.mean(drawn[0].probabilities, axis=0, keepdims=True)
        drawn.append(MarkovPolicy(0.99 * alike + 0.01 * drawn[1].probabilities, duel.victim_player))
        inputs = Inputs(game=duel.game, victims=drawn)
        found = [backend.certify(duel, victim) for victim in drawn]
        exact = [-duel.exploitability(victim).lower for victim in drawn]
        return Done(found, inputs, raw=(found, exact))


def certificates_are_sound(bench: TableBench) -> None:
    """A certificate speaks of the start distribution, and claims no more than the strongest attacker leaves."""
    for setting, done in bench.performed:
        for found, exact in zip(*done.raw, strict=True):
            if not isinstance(found, Certificate) or found.over != "distribution":
                cause = f"it gives {found!r}"
                raise bench.subject.failure(cause, "give a Certificate over the start distribution", setting.label)
            if found.least_return is not None and not found.least_return <= exact + ROUNDING * max(1.0, abs(exact)):
                raise bench.subject.failure(
                    f"it certifies a return of {found.least_return!r} where the strongest attacker leaves {exact!r}",
                    "look at the proof's constant, and at which observations the attacker may show",
                    setting.label,
                )
