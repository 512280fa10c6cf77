"""How far the attacked seat moves away from what it usually does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sparring import hookimpl
from sparring.access import ChargedAccess, Coin, OpponentAccess
from sparring.attack_game import AttackGame
from sparring.errors import RefusedError
from sparring.forms import Form
from sparring.markov.attack_game import MarkovAttackGame
from sparring.markov.policy import MarkovPolicy
from sparring.matrix.policy import MatrixPolicy
from sparring.metric import Measured, Metric, Scored
from sparring.policy import Policy

__all__ = ["Deviation"]

Floats = NDArray[np.float64]


class Deviation(Metric):
    """Total variation between what the other seat does under attack and its benign policy.

    At a decision point it is `eps * share * TV(attacker, benign)`, half the l1 distance of the two distributions over
    actions, never more than the budget. Reported for each attacker: the `mean` over the decisions that are really made
    (by the discounted visitation under attack) and the `most` of any decision point. A small mean beside a large loss
    is an attack that is hard to see.
    """

    name: ClassVar[str] = "deviation"
    summary: ClassVar[str] = "total variation between the attacked seat's behaviour and its benign policy"
    source: ClassVar[str] = "Liu et al., Rethinking Adversarial Policies, equation 3.2 and proposition 3.1"
    interface: ClassVar[int] = 1
    forms: ClassVar[frozenset[Form]] = frozenset({Form.MATRIX, Form.MARKOV})

    def measure(
        self, duel: AttackGame, victim: Policy, attacks: Sequence[Scored], rng: np.random.Generator
    ) -> Mapping[str, Measured]:
        """`mean` and `most` of each attacker, by oracle.

        Raises:
            RefusedError: the attack is more or other than partial control, coin by coin, of a benign seat.
        """
        part = _partial_control(duel)
        figures: dict[str, Measured] = {}
        for attack in attacks:
            distance = _distance(part, attack.attacker)
            mean = float(_weights(duel, victim, attack.attacker) @ distance)
            figures[attack.oracle] = {"mean": mean, "most": float(distance.max())}
        return figures


def _partial_control(duel: AttackGame) -> ChargedAccess:
    """The one part of the threat, once it is seen to be what this metric is about."""
    place = f"metric deviation on {duel.game.spec}"
    if len(duel.charged) != 1:
        raise RefusedError(f"{place}: {len(duel.charged)} threats together, needs partial-control alone")
    (part,) = duel.charged
    if not isinstance(part.access, OpponentAccess) or part.access.benign is None:
        raise RefusedError(f"{place}: under {part.threat} no other agent has a benign policy; needs partial-control")
    if part.access.coin is not Coin.DECISION:
        raise RefusedError(f"{place}: the coin is tossed once an {part.access.coin}; needs coin=decision")
    return part


def _distance(part: ChargedAccess, attacker: Policy) -> Floats:
    """Total variation at each decision point, [points]."""
    access = part.access
    assert isinstance(access, OpponentAccess)
    gap = np.abs(_table(attacker) - _table(access.benign)).sum(axis=1) / 2
    share = np.ones(len(gap)) if access.share is None else np.clip(access.share, 0.0, 1.0)
    return np.asarray(part.budget.value * share * gap)


def _table(policy: Policy | None) -> Floats:
    """Probabilities at each decision point, [points, actions]."""
    if isinstance(policy, MatrixPolicy):
        return policy.probabilities[None]
    if isinstance(policy, MarkovPolicy):
        return policy.probabilities
    raise RefusedError("metric deviation: needs one policy with a table of probabilities, not a mixture")


def _weights(duel: AttackGame, victim: Policy, attacker: Policy) -> Floats:
    """How often each decision point is met under attack, [points], summing to one."""
    return duel.visitation(victim, attacker) if isinstance(duel, MarkovAttackGame) else np.ones(1)


@hookimpl
def sparring_metrics() -> list[type[Metric]]:
    """Give `deviation`."""
    return [Deviation]
