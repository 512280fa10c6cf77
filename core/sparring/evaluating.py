"""Evaluations: the victim under every oracle, the exploitability interval, and where it all comes from."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from sparring._needs import check_needs
from sparring.attack_game import AttackGame, Effort, Side
from sparring.certificate import Certificate
from sparring.document import Evaluation, GameRecord, OptimumRecord, PolicyRecord
from sparring.errors import RefusedError, RequestError
from sparring.exploitability import Interval
from sparring.given_attacker import loader_of, oracle_of
from sparring.journal import Journal
from sparring.keeping import Keeper
from sparring.metric import Measured, Metric, Scored
from sparring.oracle import Oracle
from sparring.policy import Ability, Policy
from sparring.policy_specs import describe, resolve_policy
from sparring.provenance import Clock, record_plugins
from sparring.recording import (
    benign_record,
    budget_of,
    certificate_record,
    interval_record,
    nominal_record,
    threat_record,
)
from sparring.registry import LEARNER, Registry, default_registry
from sparring.scoring import Attack, Judge, compared_with_noise, interval_of, interval_over_seeds
from sparring.specs import parse
from sparring.streams import stream
from sparring.summarising import Summary
from sparring.taking_part import noted

__all__ = ["evaluate"]

UNPROVED = "over seeds: no certificate proves a return over seeds; name bounds that do, such as 'crown'"


def evaluate(
    duel: AttackGame,
    victim: Policy | str | object,
    oracles: Sequence[str | Oracle] = ("exact",),
    *,
    bounds: Sequence[str] = (),
    metrics: Sequence[str | Metric] = (),
    episodes: int | None = None,
    effort: Effort | None = None,
    seed: int = 0,
    over: Literal["distribution", "seeds"] = "distribution",
    collapse_below: float | None = None,
    resume: str | Path | None = None,
    optimum: bool = True,
    command: str | None = None,
    victim_spec: str | None = None,
    registry: Registry | None = None,
) -> Evaluation:
    """Measure how exploitable a victim is.

    Args:
        duel: the attack game, from `sparring.attack`.
        victim: a policy, its spec, or data that the game makes a policy of.
        oracles: who looks for attackers; the strongest one found counts, and so does no attack at all.
        bounds: bound backends whose certificates give the upper end.
        metrics: what else to measure.
        episodes: how many episodes to average, on sampled forms.
        effort: how much work each oracle may take, on sampled forms.
        seed: where all randomness starts.
        over: what the exploitability interval speaks of: the start distribution, or the seeds of the certificates.
        collapse_below: returns below this count as collapsed; None for the median without attack less half its size.
        resume: a folder in which finished episodes and found attackers are kept, on sampled forms; what is in it
            already is not done again.
        optimum: whether to compute the least exploitability of any victim, where it is known.
        command: the command line, for the document.
        victim_spec: where a policy given as an object came from, for the document.
        registry: where plugins come from; the installed ones if None.

    Returns:
        The evaluation document.

    Raises:
        RequestError: an unknown name, a policy that does not fit, or an oracle that this form refuses.
        ArithmeticError: an attacker does not attain the value its oracle claims, or is stronger than the exact
            best response, on an exact form.
    """
    clock, known = Clock(), default_registry() if registry is None else registry
    if over not in ("distribution", "seeds"):
        raise RequestError(f"over {over!r}: choose from: distribution, seeds")
    if over == "seeds" and not bounds:
        raise RefusedError(UNPROVED)
    with contextlib.ExitStack() as stack:
        present = stack.enter_context(noted())
        policy = duel.check_policy(resolve_policy(victim, duel.game, duel.victim_player, known), Side.VICTIM)
        keeper = None if resume is None else Keeper(stack.enter_context(Journal(Path(resume))))
        game = duel if keeper is None else duel.kept_in(keeper.journal)
        judge = Judge(game, policy, episodes, seed, keeper)
        idle = judge.no_attack()
        found = compared_with_noise([judge.run(name, oracle, effort) for name, oracle in _oracles(oracles, known)])
        proved = [_certify(game, policy, backend, known, episodes, seed) for backend in bounds]
        rivals = [*found, *([] if idle is None else [idle])]
        interval = interval_of(game, policy, rivals, proved)
        seeded = interval_over_seeds(game, policy, rivals, proved)
        figures = _measure(game, policy, found, metrics, known, seed)
    nominal = nominal_record(None if idle is None else idle.scored)
    summary = Summary(nominal, collapse_below, seed)
    interval = _chosen(interval, seeded, over)
    best = duel.optimum() if optimum and duel.can.known_optimum else None
    named = describe(victim) if victim_spec is None else victim_spec
    used = _plugins_used(duel, named, [*oracles, *_tried(found)], metrics, bounds, known)
    return Evaluation(
        game=GameRecord(spec=duel.game.spec, form=duel.game.form.value, players=duel.game.players),
        threat=threat_record(duel),
        budget=budget_of(duel),
        victim=PolicyRecord(spec=named, player=duel.victim_player),
        benign=benign_record(duel),
        nominal=summary.nominal(nominal),
        attacks=[summary.attack(attack.record) for attack in found if attack.record is not None],
        exploitability=interval_record(interval),
        exploitability_over_seeds=None if seeded is None else interval_record(seeded),
        optimum=None if best is None else OptimumRecord(exploitability=best.exploitability, method=best.method),
        gap=None if best is None else interval.lower - best.exploitability,
        certificates=[certificate_record(certificate) for certificate in proved],
        metrics=figures,
        provenance=clock.provenance(
            record_plugins(known, [*used, *(each for each in present if each[0] == LEARNER)]), seed, command
        ),
    )


def _chosen(interval: Interval, seeded: Interval | None, over: str) -> Interval:
    """The interval that the document is about.

    Raises:
        RefusedError: the one over seeds was asked for, and no certificate proves a return over seeds.
    """
    if over == "distribution":
        return interval
    if seeded is None:
        raise RefusedError(UNPROVED)
    return seeded


def _tried(found: Sequence[Attack]) -> list[str]:
    """Oracles that others ran."""
    records = [attack.record for attack in found if attack.record is not None]
    return [tried.oracle for record in records for tried in record.tried or []]


def _oracles(oracles: Sequence[str | Oracle], registry: Registry) -> list[tuple[str, Oracle]]:
    made = []
    for given in oracles:
        oracle = oracle_of(given, registry) if isinstance(given, str) else given
        if not isinstance(oracle, Oracle):
            raise RequestError(f"oracle: {given!r} is no oracle")
        made.append((given if isinstance(given, str) else oracle.name, oracle))
    return made


def _certify(
    duel: AttackGame, victim: Policy, spec: str, registry: Registry, episodes: int | None, seed: int
) -> Certificate:
    from sparring.bounds import BoundBackend

    backend = registry.create("bound-backend", spec)
    assert isinstance(backend, BoundBackend)
    # One step of a recurrent policy is a module, too; `certify` says what is unknown where it is not offered.
    needs = backend.needs - {Ability.MODULE} if Ability.RECURRENT in victim.abilities else backend.needs
    check_needs(f"bounds {spec}", needs, duel, victim)
    return duel.certify(victim, backend, episodes=episodes, seed=seed)


def _measure(
    duel: AttackGame,
    victim: Policy,
    found: Sequence[Attack],
    metrics: Sequence[str | Metric],
    registry: Registry,
    seed: int,
) -> dict[str, Measured]:
    scored = [Scored(a.oracle, a.attacker, float(a.scored)) for a in found if a.attacker is not None]
    figures: dict[str, Measured] = {}
    for given in metrics:
        metric = registry.create("metric", given) if isinstance(given, str) else given
        if not isinstance(metric, Metric):
            raise RequestError(f"metric: {given!r} is no metric")
        metric.check_form(duel.game)
        check_needs(f"metric {metric.name}", metric.needs, duel, victim)
        figures[metric.name] = dict(metric.measure(duel, victim, scored, stream(seed, "metric", metric.name)))
    return figures


def _plugins_used(
    duel: AttackGame,
    victim: str,
    oracles: Sequence[str | Oracle],
    metrics: Sequence[str | Metric],
    bounds: Sequence[str],
    registry: Registry,
) -> list[tuple[str, str]]:
    used = [("game", duel.game.family)] if duel.game.family is not None else []
    used += [("threat-model", part.announced or f"python:{part.threat}") for part in duel.charged]
    for given in oracles:
        loader = loader_of(given, registry) if isinstance(given, str) else None
        used.append(("oracle", _announced(given)) if loader is None else ("policy-loader", loader))
    used += [("metric", _announced(given)) for given in metrics]
    used += [("bound-backend", _announced(given)) for given in bounds]
    for policy in (victim, *(part.benign for part in duel.charged)):
        if policy is not None and not policy.startswith("python:"):
            try:
                spec = parse(policy)
            except RequestError:  # what the caller says of a policy that it hands over may be any words
                continue
            used.append(("policy-loader", spec.family or spec.name))
    return used


def _announced(given: str | Oracle | Metric) -> str:
    """A plugin's name, after its distribution and a colon where that is known; `python:` before objects of others."""
    if not isinstance(given, str):
        return given.announced or f"python:{given.name}"
    spec = parse(given)
    return spec.name if spec.family is None else f"{spec.family}:{spec.name}"
