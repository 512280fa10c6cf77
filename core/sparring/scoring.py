"""Lets oracles propose, deploys what they propose within the budget, scores it, and states the interval."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtrit

from sparring.attack_game import AttackGame, Effort, Side
from sparring.certificate import Certificate
from sparring.document import AttackRecord
from sparring.errors import RequestError, SparringError
from sparring.exploitability import Estimate, Interval
from sparring.keeping import Keeper, Sought
from sparring.oracle import Finding, Oracle
from sparring.policy import Policy
from sparring.recording import kept_episodes, search_record, tried_record
from sparring.registry import PluginError
from sparring.sameness import fingerprint
from sparring.simulated.attackers import RandomAttacker
from sparring.streams import stream

__all__ = ["Attack", "Judge", "compared_with_noise", "interval_of", "interval_over_seeds"]

CLAIM_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Attack:
    """One attacker, selected on one set of episodes and scored on another where values are sampled."""

    oracle: str
    attacker: Policy | None
    """None is no attack, which always competes."""
    selected: Estimate
    scored: Estimate
    record: AttackRecord | None


@dataclass(frozen=True)
class Judge:
    """Scores attackers of one victim."""

    duel: AttackGame
    victim: Policy
    episodes: int | None
    seed: int
    keeper: Keeper | None = None
    """Where findings are kept, so that no search is made twice."""

    def no_attack(self) -> Attack | None:
        """No attack as a competitor; None where nothing says what the other seat would do."""
        return self._judged("no attack", None) if self.duel.has_nominal else None

    def run(self, name: str, oracle: Oracle, effort: Effort | None) -> Attack:
        """Let an oracle propose an attacker, and score it.

        Raises:
            RefusedError: the oracle needs another form, or an ability that the victim lacks.
            RequestError: what it proposes is no policy of the attacker.
            PluginError: it changed the victim.
            ArithmeticError: where values are exact, its attacker does not attain what it claims.
        """
        oracle.check_fit(self.duel, self.victim, name)
        before = _content(self.victim)
        finding, seconds, made = self._finding(name, oracle, effort)
        judged = self._judged(name, self.duel.check_policy(finding.attacker, Side.ATTACKER))
        if before is not None and _content(self.victim) != before:
            raise PluginError(f"oracle {name}: it changed the victim that it was to attack; copy what you write to")
        warnings = [*finding.warnings, *_doubts(name, finding, judged.scored), *_uncounted(name, finding, made)]
        record = AttackRecord(
            oracle=name,
            value=float(judged.scored),
            ci95=judged.scored.ci95,
            episodes=judged.scored.episodes,
            steps=finding.steps,
            made=made,
            seconds=seconds,
            warnings=warnings,
            **kept_episodes(judged.scored),
            tried=[tried_record(each) for each in finding.tried] or None,
            search=None if finding.search is None else search_record(finding.search),
        )
        return Attack(name, judged.attacker, judged.selected, judged.scored, record)

    def _finding(self, name: str, oracle: Oracle, effort: Effort | None) -> tuple[Finding, float, int | None]:
        """What the oracle finds, the seconds of its search, and the steps counted meanwhile."""
        sought = Sought(self.duel, self.victim, name, oracle, effort, self.seed)
        kept = None if self.keeper is None else self.keeper.found(sought)
        if kept is not None:
            return kept
        began, lent = time.perf_counter(), self.duel.lent()
        finding = oracle.attack(lent, self.victim, effort=effort, rng=oracle.chance(self.seed, name))
        seconds = time.perf_counter() - began
        if not isinstance(finding, Finding) or not isinstance(finding.attacker, Policy):
            raise RequestError(f"oracle {name}: it proposed {finding!r}, expected a Finding with a policy")
        if self.keeper is not None:
            self.keeper.keep(sought, finding, seconds, lent.steps_made)
        return finding, seconds, lent.steps_made

    def _judged(self, name: str, attacker: Policy | None) -> Attack:
        scored = self._measured(name, attacker, "score")
        selected = scored if scored.exact else self._measured(name, attacker, "select")
        return Attack(name, attacker, selected, scored, None)

    def _measured(self, name: str, attacker: Policy | None, purpose: str) -> Estimate:
        """The victim's return; all attackers meet the same random numbers."""
        value = self.duel.measure(self.victim, attacker, stream(self.seed, purpose), self.episodes)
        if not math.isfinite(value):
            raise ArithmeticError(f"{name}: the return is {float(value)}, which no game should give")
        return value


def compared_with_noise(attacks: Sequence[Attack]) -> list[Attack]:
    """The same attacks; those that are clearly weaker than noise carry a warning, as they cannot be what they seem.

    Clearly: the mean difference over the episodes, which all of them share, is above 0 at 95% one-sided confidence.
    """
    noise = [attack for attack in attacks if isinstance(attack.attacker, RandomAttacker)]
    return [replace(attack, record=_warned(attack, noise)) for attack in attacks]


def _warned(attack: Attack, noise: Sequence[Attack]) -> AttackRecord | None:
    own, record = attack.scored.returns, attack.record
    if record is None or own is None or any(attack is other for other in noise):
        return record
    for other in noise:
        theirs = other.scored.returns
        if theirs is not None and len(theirs) == len(own):
            excess = np.subtract(own, theirs)
            error = float(np.std(excess, ddof=1)) / math.sqrt(len(own))
            if float(excess.mean()) > float(stdtrit(len(own) - 1, 0.95)) * error:
                told = f"{attack.oracle} is weaker than noise ({other.oracle}): its search fails on this victim"
                return record.model_copy(update={"warnings": [*record.warnings, told]})
    return record


def interval_of(
    duel: AttackGame, victim: Policy, attacks: Sequence[Attack], certificates: Sequence[Certificate]
) -> Interval:
    """The exploitability interval that attackers and certificates support.

    Where the attacker's best response is exact the core computes it itself, whichever oracles were named. Elsewhere
    `lower` is the one-sided 95% limit of the strongest attacker, and `upper` the best certificate over the start
    distribution, or else the game's least return.

    Raises:
        RequestError: there is nothing to take the strongest of.
        ArithmeticError: an attacker is stronger than the exact best response, which is a bug.
    """
    if duel.can.exact_value and Side.ATTACKER in duel.can.exact_response:
        exact = duel.exploitability(victim)
        for attack in attacks:
            assert exact.upper is not None
            if -attack.scored > exact.upper + CLAIM_TOLERANCE * max(1.0, abs(exact.upper)):
                raise ArithmeticError(
                    f"{attack.oracle} reaches {-float(attack.scored)!r}, the exploitability is {exact.upper!r}; "
                    "it left the budget"
                )
        return exact
    if not attacks:
        raise RequestError("evaluate: no oracle was named and there is no nominal value; name an oracle")
    best = min(attacks, key=lambda attack: float(attack.selected))
    lower = -best.scored.high95
    proved = [c for c in certificates if c.least_return is not None and c.over == "distribution"]
    least = duel.least_return()
    confidence = None if best.scored.exact else 0.95
    if proved:
        top = max(proved, key=lambda certificate: certificate.least_return or 0.0)
        assert top.least_return is not None
        method = f"{best.oracle}, {top.backend}"
        return Interval(lower, -top.least_return, exact=False, confidence=confidence, method=method)
    upper = None if least is None else -least
    trivial = upper is not None
    return Interval(lower, upper, exact=False, confidence=confidence, method=best.oracle, trivial_upper=trivial)


def interval_over_seeds(
    duel: AttackGame, victim: Policy, attacks: Sequence[Attack], certificates: Sequence[Certificate]
) -> Interval | None:
    """The interval over the very seeds that certificates speak of; None where none proves a return over seeds.

    Both ends are exact: `lower` is what the strongest attacker does on those seeds, `upper` what none can exceed.

    Raises:
        ArithmeticError: an attacker does more than is proved possible, by more than rounding.
    """
    proved = [c for c in certificates if c.least_return is not None and c.over != "distribution"]
    if not proved or not attacks:
        return None
    top = max((c for c in proved if c.over == proved[0].over), key=lambda c: c.least_return or 0.0)
    assert top.least_return is not None
    assert top.over != "distribution"
    reached = [(-duel.over(victim, attack.attacker, top.over), attack.oracle) for attack in attacks]
    lower, oracle = max(reached, key=lambda pair: pair[0])
    method = f"{oracle}, {top.backend}"
    return Interval(lower, -top.least_return, exact=False, over=top.over, confidence=top.confidence, method=method)


def _content(victim: Policy) -> str | None:
    """A digest of all that loads a victim again; None where that cannot be written down."""
    try:
        return fingerprint(victim.to_document())
    except (TypeError, SparringError):
        return None


def _uncounted(name: str, finding: Finding, made: int | None) -> list[str]:
    """Compare the steps that an oracle says it spent with those that were counted."""
    if made is None or made <= finding.steps:
        return []
    return [f"oracle {name} says that it spent {finding.steps} simulator steps, and made {made}"]


def _doubts(name: str, finding: Finding, value: Estimate) -> list[str]:
    """Compare what the oracle claims with what its attacker attains."""
    if finding.claimed is None or abs(finding.claimed - value) <= CLAIM_TOLERANCE * max(1.0, abs(value)):
        return []
    message = f"oracle {name} claims a return of {finding.claimed!r}, its attacker attains {float(value)!r}"
    if value.exact:
        raise ArithmeticError(message)
    inside = value.ci95 is not None and value.ci95[0] <= finding.claimed <= value.ci95[1]
    return [] if inside else [message]
