"""Several oracles, of which the strongest counts."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import ClassVar

import numpy as np
from pydantic import Field

from sparring import hookimpl
from sparring.attack_game import AttackGame, Effort
from sparring.errors import RefusedError, RequestError
from sparring.given_attacker import oracle_of
from sparring.oracle import Finding, Oracle
from sparring.plugin import PluginOptions, unit
from sparring.policy import Policy
from sparring.registry import default_registry
from sparring.simulated.attack_game import SEEDS
from sparring.specs import several
from sparring_plugins.oracles._choosing import Yardstick, found_by, strongest_of

EXACT = "exact;random"
SAMPLED = "random;random(noise=sign);fgsm;pgd;pgd(steps=20,restarts=3);mad;critic;min-q"
"""What is run where nothing is named: what needs no training. Those that do not fit the victim are noted."""


class StrongestOptions(PluginOptions):
    """Options of `strongest`."""

    of: str = Field(
        "",
        description="specs of oracles, or of policies that attack, between semicolons; empty for all untrained oracles",
    )
    episodes: int = Field(
        10, ge=2, le=10_000, description="episodes on which they are compared; of sampled forms",
        json_schema_extra=unit("episodes"),
    )  # fmt: skip


class Strongest(Oracle):
    """Lets each look for an attacker, measures all on the same episodes, and keeps one for this victim."""

    name: ClassVar[str] = "strongest"
    summary: ClassVar[str] = "the strongest of several oracles for this victim, all figures shown"
    source: ClassVar[str] = "thesis, section 6.5.2.1: the best attack of all that were tried"
    Options: ClassVar[type[PluginOptions]] = StrongestOptions

    def attack(self, duel: AttackGame, victim: Policy, *, effort: Effort | None, rng: np.random.Generator) -> Finding:
        """The best finding; one that refuses this victim is noted, and it is an error only if all do.

        Raises:
            RequestError: there is no such oracle, or one of them is this one.
            RefusedError: all refuse.
        """
        wanted = several(self.options.of or (EXACT if duel.game.form.exact else SAMPLED))
        if not wanted:
            raise RequestError(f"oracle strongest: of={self.options.of!r} names no oracle; leave it out, or name some")
        made = [(spec, oracle_of(spec, default_registry())) for spec in wanted]
        if any(isinstance(oracle, Strongest) for _, oracle in made):
            raise RequestError("oracle strongest: is named among its own oracles; leave it out")
        seed, chooser = (int(each) for each in rng.integers(SEEDS, size=2))
        yardstick = Yardstick(duel, victim, self.options.episodes, chooser)
        candidates = [
            yardstick.candidate(spec, partial(found_by, oracle, spec, duel, victim, effort, oracle.chance(seed, spec)))
            for spec, oracle in made
        ]
        try:
            best = strongest_of(candidates)
        except RefusedError as error:
            raise RefusedError(f"oracle strongest on {duel.game.spec}: {error}") from None
        assert best.finding is not None
        steps = sum(each.tried.steps for each in candidates)
        return replace(best.finding, steps=steps, tried=tuple(each.tried for each in candidates))


@hookimpl
def sparring_oracles() -> list[type[Oracle]]:
    """Give `strongest`."""
    return [Strongest]
