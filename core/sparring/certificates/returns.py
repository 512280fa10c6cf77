"""From actions to return: certificates of a greedy policy's return for a list of seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sparring.access import Ball
from sparring.bounds import BoundBackend
from sparring.certificate import Certificate
from sparring.certificates._bounding import backend_of
from sparring.certificates._deciders import Attack, Decider, Memoryless
from sparring.certificates._recurrent import Recurrent
from sparring.certificates.branching import CertifiedSeed, certify_seed
from sparring.certificates.limits import SearchLimits
from sparring.certificates.regions import Normalisation
from sparring.certificates.simulator import Simulator
from sparring.errors import RefusedError, RequestError
from sparring.policy import Ability, Policy

__all__ = ["certify_return"]


def certify_return(
    policy: Policy,
    simulator: Simulator,
    ball: Ball,
    radius: float,
    seeds: Sequence[int],
    method: str | BoundBackend = "crown",
    *,
    limits: SearchLimits | None = None,
    normalisation: Normalisation | None = None,
) -> Certificate:
    """Certify the least return of a greedy policy under observation attack, for each of a list of seeds.

    Where every action of a seed's rollout is certified, its least return is its return without attack. Elsewhere all
    that the attacker may bring about is searched, under a limit on simulator steps (`sparring.certificates.branching`).
    The attacker may choose anew at every step, and knows everything.

    It holds for policies of discrete actions that are greedy over a network's outputs: memoryless ones, and recurrent
    ones that offer their state as numbers. Their normalisation must be frozen, that is, part of the module. Policies
    that can act (`sparring.acting.Acting`) are compared with the network at every step of every branch. Whatever does
    not fit is unknown: `least_return` is None and the facts say why.

    Args:
        policy: the victim.
        simulator: where it acts; deterministic once its state is set back.
        ball: norm, scale and domain of the attacker's change of observations.
        radius: the budget.
        seeds: what the certificate speaks of.
        method: a bound backend or its name.
        limits: of the search for each seed.
        normalisation: see `observation_region`; needed where the ball is measured after normalisation.

    Returns:
        A certificate over the seeds: its least return is the average over the seeds, as a value over seeds is, and
        None as soon as one of them is unknown. `facts["seeds"]` has a row for each, `facts["least_of_any"]` the least
        return of a single seed.

    Raises:
        RequestError: no seeds, or a reward below `limits.least_reward`.
        ArithmeticError: the backend's bounds leave out what is true.
    """
    given = tuple(int(seed) for seed in seeds)
    if not given or len(set(given)) < len(given):
        raise RequestError("certificate: name the seeds that it is to speak of, each once")
    backend, allowed = backend_of(method), SearchLimits() if limits is None else limits
    try:
        decider = _decider(policy, Attack(ball, float(radius), backend, normalisation))
    except RefusedError as error:
        facts = {"unknown": str(error), **_asked(ball, radius, allowed)}
        return Certificate(backend.name, None, over=given, facts=facts)
    rows = [certify_seed(simulator, decider, seed, allowed) for seed in given]
    return Certificate(backend.name, _average(rows), over=given, facts=_facts(rows, ball, radius, allowed))


def _decider(policy: Policy, attack: Attack) -> Decider:
    return Recurrent(policy, attack) if Ability.RECURRENT in policy.abilities else Memoryless(policy, attack)


def _average(rows: Sequence[CertifiedSeed]) -> float | None:
    known = [row.least_return for row in rows if row.least_return is not None]
    return sum(known) / len(known) if len(known) == len(rows) else None


def _facts(rows: Sequence[CertifiedSeed], ball: Ball, radius: float, limits: SearchLimits) -> dict[str, Any]:
    known = [row.least_return for row in rows if row.least_return is not None]
    steps, certified = sum(row.rollout for row in rows), sum(row.certified for row in rows)
    reasons = [row.unknown for row in rows if row.unknown is not None]
    return {
        "seeds": [asdict(row) for row in rows],
        "least_of_any": min(known) if len(known) == len(rows) else None,
        "action_certification_rate": certified / steps if steps else None,
        **({"unknown": reasons[0]} if reasons else {}),
        **_asked(ball, radius, limits),
    }


def _asked(ball: Ball, radius: float, limits: SearchLimits) -> dict[str, Any]:
    return {"attack": {"norm": ball.norm, "radius": float(radius), "space": ball.space}, "limits": asdict(limits)}
