"""Oracles: they attack drawn victims in the kit's attack games."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from sparring.attack_game import Side
from sparring.errors import RefusedError
from sparring.oracle import Finding, Oracle
from sparring.policy import Policy
from sparring.testing.arena import Stage, stages
from sparring.testing.bench import Bench, Done, Held, Inputs, Setting

__all__ = ["OracleBench", "finding_complete", "witness_attains_claim"]

TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class OracleBench(Bench):
    """Lets one oracle attack."""

    def settings(self) -> list[Setting]:
        """Every attack game of the kit on the claimed forms."""
        every = [stage for form in self.subject.exact_forms for stage in stages(form)]
        return [Setting(stage.label, stage.form, partial(self._run, stage)) for stage in every]

    def _run(self, stage: Stage, seed: int) -> Done:
        oracle = self.subject.make()
        assert isinstance(oracle, Oracle)
        duel = stage.make()
        victim = duel.draw(Side.VICTIM, np.random.default_rng(31))
        if oracle.needs - victim.abilities:
            raise RefusedError(f"it needs a victim with {', '.join(sorted(oracle.needs - victim.abilities))}")
        inputs = Inputs(game=duel.game, victim=victim)
        finding = oracle.attack(duel, victim, effort=None, rng=np.random.default_rng(seed))
        attacker = getattr(finding, "attacker", None)
        held = (Held(attacker, Side.ATTACKER, duel),) if isinstance(attacker, Policy) else ()
        return Done(_timeless(finding), inputs, held, (finding, duel, victim))


def _timeless(finding: object) -> object:
    """A finding without the seconds, which differ from run to run; anything else as it is."""
    if not isinstance(finding, Finding):
        return finding
    tried = tuple(replace(each, seconds=0.0) for each in finding.tried)
    search = None if finding.search is None else replace(finding.search, seconds=0.0)
    return replace(finding, tried=tried, search=search)


def finding_complete(bench: OracleBench) -> None:
    """A finding holds a policy, a finite claim or none, the steps spent, and warnings in words."""
    for setting, done in bench.performed:
        finding = done.raw[0]
        if not isinstance(finding, Finding) or not isinstance(finding.attacker, Policy):
            cause = f"it proposes {finding!r}"
        elif finding.claimed is not None and not math.isfinite(finding.claimed):
            cause = f"it claims a return of {finding.claimed}"
        elif type(finding.steps) is not int or finding.steps < 0:
            cause = f"it says that it spent {finding.steps!r} steps"
        elif not isinstance(finding.warnings, tuple) or not all(isinstance(text, str) for text in finding.warnings):
            cause = f"its warnings are {finding.warnings!r}"
        else:
            continue
        remedy = "return sparring.oracle.Finding, or raise a RefusedError that says why nothing was found"
        raise bench.subject.failure(cause, remedy, setting.label)


def witness_attains_claim(bench: OracleBench) -> None:
    """The attacker that an oracle proposes really brings the victim to the return that it claims."""
    for setting, done in bench.performed:
        finding, duel, victim = done.raw
        value = duel.measure(victim, finding.attacker, np.random.default_rng(33))
        claimed = finding.claimed
        if claimed is not None and abs(claimed - value) > TOLERANCE * max(1.0, abs(value)):
            raise bench.subject.failure(
                f"it claims a return of {claimed!r}, its attacker attains {float(value)!r}",
                "claim what duel.measure(victim, attacker, rng) gives, or nothing",
                setting.label,
            )
