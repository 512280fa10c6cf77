"""Which checks there are for a plugin: by its kind, and by the forms and capabilities that it declares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sparring.bounds import BoundBackend
from sparring.budgets import Charge
from sparring.certificates.tabular import TabularBound
from sparring.errors import RequestError, SparringError, nearest
from sparring.kinds import BASES
from sparring.plugin import Plugin
from sparring.registry import LEARNER, Entry, Registry, default_registry
from sparring.source import GameSource, PolicyLoader
from sparring.testing import (
    backends,
    behaving,
    both_forms,
    charging,
    declaring,
    deviating,
    game_options,
    game_promises,
    games,
    learners,
    loaders,
    metrics,
    oracles,
    policies,
    responding,
    sampled_traces,
    solvers,
    tables,
    threats,
    worlds,
)
from sparring.testing.check import Check, CheckFailure
from sparring.testing.subject import Subject
from sparring.threat import ThreatModel

__all__ = ["checks"]

Promise = tuple[Callable[[Any], None], Any]
"""A check's function and what it looks at."""


def checks(kind: str, name_or_class: str | Callable[..., object], registry: Registry | None = None) -> Iterator[Check]:
    """Yield the checks of a plugin; nothing is run before a check's `run` is called.

    Args:
        kind: such as `threat-model`, or `learner`.
        name_or_class: the name that the plugin is announced by (`distribution:name` where two have it), or its class;
            of a learner, what makes it.
        registry: where plugins come from; the installed ones if None.

    Raises:
        RequestError: there is no such kind, or no plugin of that name.
    """
    if kind not in BASES and kind != LEARNER:
        raise RequestError(f"unknown kind {kind!r}: {nearest(kind, [*BASES, LEARNER])}")
    known = default_registry() if registry is None else registry
    if kind == LEARNER:
        return _of_learner(known, name_or_class)
    if isinstance(name_or_class, str):
        distribution, _, name = name_or_class.rpartition(":")
        entry = known.find(kind, name, distribution or None)
        return _of_entry(known, entry)
    if not isinstance(name_or_class, type) or not issubclass(name_or_class, BASES[kind]):
        raise RequestError(f"{name_or_class.__name__} is no {kind}: expected a subclass of {BASES[kind].__name__}")
    return _of_class(Subject(name_or_class, known))


def _of_learner(registry: Registry, given: str | Callable[..., object]) -> Iterator[Check]:
    """The checks of an announced learner, or of a callable that makes one."""
    if isinstance(given, str):
        distribution, _, name = given.rpartition(":")
        entry = registry.find(LEARNER, name, distribution or None)
        try:
            bench = learners.LearnerBench.of(entry)
        except SparringError as error:
            yield Check("loads", _promise(_loads), _raiser(str(error), entry.label), entry.label)
            return
    else:
        bench = learners.LearnerBench.of_maker(given)
    for function in learners.LEARNER_CHECKS:
        name = _name(function)
        yield Check(name, _promise(function), _bound(function, bench), bench.place, bench.expected.get(name))


def _of_entry(registry: Registry, entry: Entry) -> Iterator[Check]:
    """The checks of an announced plugin; one that does not load has that check alone."""
    try:
        plugin = registry.load(entry)
    except SparringError as error:
        yield Check("loads", _promise(_loads), _raiser(str(error), entry.label), entry.label)
        return
    yield from _of_class(Subject(plugin, registry, entry))


def _raiser(message: str, place: str) -> Callable[[], None]:
    def fail() -> None:
        cause, _, remedy = message.rpartition("; ")
        raise CheckFailure(cause or message, place, remedy if cause else "repair the plugin")

    return fail


def _of_class(subject: Subject) -> Iterator[Check]:
    missing = _undefined(subject.plugin)
    if missing:
        yield Check("loads", _promise(_loads), _raiser(f"it does not define {missing}; define it", subject.place),
                    subject.place)  # fmt: skip
        return
    promises = [(_loads, subject), *_common(subject), *OF_KIND[subject.plugin.kind](subject)]
    names = [_name(function) for function, _ in promises]
    every = [*names, _name(expected_failures_are_known)]
    expected = subject.plugin.expected_failures
    for function, given in [*promises, (expected_failures_are_known, (subject, every))]:
        name = _name(function)
        reason = expected.get(name) if isinstance(expected.get(name), str) else None
        yield Check(name, _promise(function), _bound(function, given), subject.place, reason)


def _bound(function: Callable[[Any], None], given: Any) -> Callable[[], None]:
    return lambda: function(given)


def _name(function: Callable[..., None]) -> str:
    return function.__name__.strip("_").replace("_", "-")


def _promise(function: Callable[..., None]) -> str:
    return (function.__doc__ or "").strip().splitlines()[0]


def _loads(subject: Subject) -> None:
    """It can be imported, and defines all that its kind asks for."""


def _undefined(plugin: type[Plugin]) -> str:
    """What a plugin must define and does not."""
    wanted = ("name", "summary", *(("budget",) if issubclass(plugin, ThreatModel) else ()))
    missing = {*plugin.__abstractmethods__, *(name for name in wanted if not hasattr(plugin, name))}
    return ", ".join(sorted(missing))


def expected_failures_are_known(given: tuple[Subject, list[str]]) -> None:
    """Every expected failure names a check of this kind and gives a reason."""
    declaring.expected_failures_known(*given)


def _common(subject: Subject) -> Iterator[Promise]:
    yield declaring.declaration_complete, subject
    yield declaring.announced_by_its_name, subject
    yield declaring.defaults_are_legal, subject
    yield declaring.refuses_nonsense, subject
    yield declaring.plugin_pickles, subject


def _behaviour(bench: Any) -> Iterator[Promise]:
    yield behaving.works_on_its_forms, bench
    yield behaving.leaves_inputs_alone, bench
    yield behaving.leaves_global_randomness_alone, bench


def _policies(bench: Any) -> Iterator[Promise]:
    yield policies.policies_are_distributions, bench
    yield policies.policies_survive_saving, bench
    yield policies.policies_pickle, bench


def _of_threat(subject: Subject) -> Iterator[Promise]:
    bench = threats.ThreatBench(subject)
    exact = bool(subject.exact_forms)
    yield threats.threat_declaration, subject
    yield from _behaviour(bench)
    if exact and getattr(getattr(subject.plugin, "budget", None), "charge", None) is Charge.SIZE:
        yield charging.changes_have_a_size, bench
    yield both_forms.stays_zero_sum, bench
    if exact:
        yield responding.responses_are_best, bench
    if exact and getattr(subject.plugin, "benign", None) == "used":
        yield deviating.deviates_within_the_budget, bench
    yield both_forms.budget_respected, bench
    yield both_forms.nominal_unchanged, bench
    if exact and getattr(subject.plugin, "nested", True):
        yield charging.more_budget_never_helps, bench
    if subject.simulated:
        yield both_forms.returns_do_not_depend_on_the_batch, bench
    yield behaving.same_seed_same_result, bench
    yield from _policies(bench)
    yield both_forms.attack_games_pickle, bench


def _of_game(subject: Subject) -> Iterator[Promise]:
    assert issubclass(subject.plugin, GameSource)
    bench = games.GameBench(subject)
    yield from _behaviour(bench)
    yield game_promises.games_are_whole, bench
    yield game_promises.refuses_what_it_does_not_know, bench
    yield game_options.options_are_as_declared, bench
    yield behaving.same_seed_same_result, bench
    yield game_promises.games_load_again, bench
    yield from _policies(bench)
    if subject.exact_forms:
        yield game_promises.zero_sum_as_declared, bench
    if subject.kit_forms:
        yield game_promises.attackable_or_says_why, bench
        yield both_forms.stays_zero_sum, bench
    if subject.exact_forms:
        yield responding.responses_are_best, bench
    if subject.simulated:
        yield worlds.worlds_keep_their_contract, bench
        yield worlds.states_are_set_back, bench
    if subject.kit_forms:
        yield both_forms.budget_respected, bench
        yield both_forms.nominal_unchanged, bench
    if subject.exact_forms:
        yield charging.more_budget_never_helps, bench
    if subject.simulated:
        yield both_forms.returns_do_not_depend_on_the_batch, bench
    if subject.kit_forms:
        yield both_forms.attack_games_pickle, bench


def _of_oracle(subject: Subject) -> Iterator[Promise]:
    bench = oracles.OracleBench(subject)
    yield from _behaviour(bench)
    yield oracles.finding_complete, bench
    yield from _policies(bench)
    yield oracles.witness_attains_claim, bench
    yield behaving.same_seed_same_result, bench
    if subject.simulated:
        yield oracles.attackers_keep_episodes_apart, bench
    if subject.extremes:
        yield behaving.options_are_usable, bench


def _of_solver(subject: Subject) -> Iterator[Promise]:
    bench = solvers.SolverBench(subject)
    yield from _behaviour(bench)
    yield solvers.uses_what_it_needs, bench
    yield solvers.answer_complete, bench
    yield from _policies(bench)
    yield solvers.trace_is_true, bench
    if subject.simulated:
        yield sampled_traces.trace_agrees_with_evaluation, bench
    yield solvers.improves_on_its_start, bench
    yield behaving.same_seed_same_result, bench
    yield solvers.resumes_exactly, bench
    if subject.extremes:
        yield behaving.options_are_usable, bench


def _of_metric(subject: Subject) -> Iterator[Promise]:
    bench = metrics.MetricBench(subject)
    yield from _behaviour(bench)
    yield metrics.figures_are_json, bench
    yield behaving.same_seed_same_result, bench
    if subject.extremes:
        yield behaving.options_are_usable, bench


def _of_loader(subject: Subject) -> Iterator[Promise]:
    assert issubclass(subject.plugin, PolicyLoader)
    bench = loaders.LoaderBench(subject)
    yield from _behaviour(bench)
    yield from _policies(bench)
    yield behaving.same_seed_same_result, bench
    if subject.simulated:
        yield loaders.episodes_stay_apart, bench
    if subject.plugin.takes is not None:
        yield loaders.runs_nothing_from_files, bench
        yield loaders.refuses_spoilt_files, bench
    if subject.extremes:
        yield behaving.options_are_usable, bench


def _of_backend(subject: Subject) -> Iterator[Promise]:
    if issubclass(subject.plugin, TabularBound):
        yield from _of_tables(subject)
        return
    bench = backends.BackendBench(subject)
    yield from _behaviour(bench)
    yield backends.bounds_are_ordered, bench
    yield backends.bound_contains_what_is_found, bench
    if issubclass(subject.plugin, BoundBackend) and subject.plugin.repeatable:
        yield behaving.same_seed_same_result, bench


def _of_tables(subject: Subject) -> Iterator[Promise]:
    bench = tables.TableBench(subject)
    yield from _behaviour(bench)
    yield tables.certificates_are_sound, bench
    yield behaving.same_seed_same_result, bench


OF_KIND: dict[str, Callable[[Subject], Iterator[Promise]]] = {
    "game": _of_game,
    "threat-model": _of_threat,
    "oracle": _of_oracle,
    "solver": _of_solver,
    "bound-backend": _of_backend,
    "metric": _of_metric,
    "policy-loader": _of_loader,
}
