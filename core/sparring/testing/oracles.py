"""Oracles: they attack drawn victims in the kit's attack games."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from sparring.attack_game import AttackGame, Side
from sparring.errors import MissingError
from sparring.forms import Form
from sparring.oracle import Finding, Oracle
from sparring.policy import Ability, Policy
from sparring.simulated.attack_game import SimulatedAttackGame
from sparring.testing.arena import Stage, offering, stages
from sparring.testing.bench import Bench, Done, Held, Inputs, Setting
from sparring.testing.check import CheckSkipped
from sparring.testing.sampled_arena import EFFORT
from sparring.testing.sampled_charging import MIXING, mixing

__all__ = ["OracleBench", "attackers_keep_episodes_apart", "finding_complete", "witness_attains_claim"]

TOLERANCE = 1e-9
EPISODES = 4
"""For which attackers of sampled forms are seen at work."""
SEEDS = (60, 61, 62, 63, 64)
"""Of the episodes that attackers are played for."""


@dataclass(frozen=True, eq=False)
class OracleBench(Bench):
    """Lets one oracle attack."""

    def settings(self) -> list[Setting]:
        """Every attack game of the kit on the claimed forms that offers what it needs."""
        plugin = self.subject.make()
        assert isinstance(plugin, Oracle)
        exact = [stage for form in self.subject.exact_forms for stage in stages(form)]
        sampled = stages(Form.SIMULATED) if self.subject.simulated else []
        # Some oracles train: what is mixed, or composed, is left to the checks of threats.
        every = offering([*exact, *sampled[:3], *sampled[5:]], plugin.needs)
        return [Setting(stage.label, stage.form, partial(self._run, stage)) for stage in every]

    def _run(self, stage: Stage, seed: int) -> Done:
        oracle = self.subject.make()
        assert isinstance(oracle, Oracle)
        duel = stage.make()
        victim = stage.attacked(duel, np.random.default_rng(31))
        if stage.form is Form.SIMULATED and importlib.util.find_spec("torch") is None and _wanting(oracle, victim):
            raise MissingError("the kit's differentiable victims need torch: pip install 'sparring[torch]'")
        oracle.check_fit(duel, victim, oracle.name)
        inputs = Inputs(game=duel.game, victim=victim)
        effort = EFFORT if stage.form is Form.SIMULATED else None
        finding = oracle.attack(duel, victim, effort=effort, rng=np.random.default_rng(seed))
        attacker = getattr(finding, "attacker", None)
        if not isinstance(attacker, Policy):
            return Done(finding, inputs, raw=(finding, duel, victim))
        held = Held(attacker, Side.ATTACKER, duel, partial(_again, oracle, duel))
        # Attackers of sampled forms work while episodes are played, and must leave things alone then too.
        duel.check_policy(attacker, Side.ATTACKER)
        reached = float(duel.measure(victim, attacker, np.random.default_rng(33), EPISODES))
        return Done((_timeless(finding), reached), inputs, (held,), (finding, duel, victim))


def _timeless(finding: object) -> object:
    """A finding without the seconds, which differ from run to run; anything else as it is."""
    if not isinstance(finding, Finding):
        return finding
    tried = tuple(replace(each, seconds=0.0) for each in finding.tried)
    search = None if finding.search is None else replace(finding.search, seconds=0.0)
    return replace(finding, tried=tried, search=search)


def _wanting(oracle: Oracle, victim: Policy) -> bool:
    return any(isinstance(need, Ability) and need not in victim.abilities for need in oracle.needs)


def _again(oracle: Oracle, duel: AttackGame, document: Mapping[str, Any]) -> Policy:
    return oracle.restore(document, duel)


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
        if finding.claimed is None:
            continue
        value = duel.measure(victim, finding.attacker, np.random.default_rng(33))
        claimed, room = finding.claimed, TOLERANCE * max(1.0, abs(value))
        if value.ci95 is not None:  # sampled: what four times the interval, which is eight deviations, does not hold
            room = 4 * (value.ci95[1] - value.ci95[0]) / 2 + TOLERANCE
        if abs(claimed - value) > room:
            raise bench.subject.failure(
                f"it claims a return of {claimed!r}, its attacker attains {float(value)!r}",
                "claim what duel.measure(victim, attacker, rng) gives, or nothing",
                setting.label,
            )


def attackers_keep_episodes_apart(bench: OracleBench) -> None:
    """What its attackers do in an episode depends on that episode alone: on no batch, no order, no memory of others."""
    looked = False
    for setting, done in bench.performed:
        finding, duel, victim = done.raw
        if isinstance(duel, SimulatedAttackGame):
            looked, fault = True, mixing(duel, victim, finding.attacker, SEEDS, exact=False)
            if fault:
                raise bench.subject.failure(fault, MIXING, setting.label)
    if not looked:
        raise CheckSkipped(bench.nothing_to_see)
