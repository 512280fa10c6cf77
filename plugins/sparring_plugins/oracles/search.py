"""A search over another oracle's settings."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from sparring import hookimpl
from sparring.attack_game import AttackGame, Effort
from sparring.errors import RefusedError, RequestError
from sparring.forms import Form
from sparring.oracle import Finding, Oracle, Search, Tried
from sparring.plugin import PluginOptions, unit
from sparring.policy import Policy
from sparring.registry import default_registry
from sparring.simulated.attack_game import SEEDS
from sparring.specs import Spec, parse
from sparring_plugins.oracles._choosing import Yardstick
from sparring_plugins.oracles._search_space import Dimension, space_of
from sparring_plugins.oracles._search_study import Proposal, Study
from sparring_plugins.oracles._search_work import Job, workers_for


class SearchOptions(PluginOptions):
    """Options of `search`."""

    of: str = Field("pgd", description="the oracle to search, with the options that are to stay as they are")
    over: str = Field(
        "",
        description="what to search, between semicolons: `steps=5..50;rate=0.01..1 log;noise=none|langevin`; empty for "
        "every option with limits or choices",
    )
    trials: int = Field(20, ge=1, le=100_000, description="settings to try, those of earlier runs included")
    episodes: int = Field(
        10, ge=2, le=10_000, description="episodes on which each is measured", json_schema_extra=unit("episodes")
    )
    sampler: Literal["tpe", "random"] = Field(
        "tpe", description="who proposes settings: a tree-structured Parzen estimator, or chance"
    )
    workers: int = Field(
        1,
        ge=1,
        le=1024,
        description="processes that trials run in; 1 for this one",
        json_schema_extra=unit("processes"),
    )
    ray: str = Field("", description="address of a Ray cluster whose processors are the workers, or `auto`")
    together: int = Field(
        0, ge=0, le=1024, description="trials proposed without knowing of one another; 0 for one a worker",
        json_schema_extra=unit("trials"),
    )  # fmt: skip
    storage: str = Field("", description="a file (optuna's journal) that keeps trials, and from which a search goes on")


class SettingsSearch(Oracle):
    """Tries settings on the same episodes with the same chance, and keeps the strongest attacker.

    The same seed gives the same trials whatever the number and speed of the workers, as long as `together` is the
    same; where it is not named, it is the number of workers.
    """

    name: ClassVar[str] = "search"
    summary: ClassVar[str] = "the strongest attacker over the settings of an oracle, found by optuna"
    source: ClassVar[str] = "Akiba et al. 2019 (optuna); thesis, section 6.7.4 searches its attacks' settings"
    forms: ClassVar[frozenset[Form]] = frozenset({Form.SIMULATED})
    Options: ClassVar[type[PluginOptions]] = SearchOptions
    beside: ClassVar[frozenset[str]] = frozenset({"trials", "workers", "ray", "together", "storage"})

    def attack(self, duel: AttackGame, victim: Policy, *, effort: Effort | None, rng: np.random.Generator) -> Finding:
        """Search; `effort` is that of each trial.

        Raises:
            RequestError: nothing to search, a range that the oracle does not allow, or a package that is missing.
            RefusedError: the oracle refuses every trial.
        """
        options: SearchOptions = self.options
        spec = parse(options.of)
        searched = _class_of(spec)
        searched(**spec.options).check_fit(duel, victim, str(spec))
        space = space_of(searched, options.over, spec.options)
        seed, chooser = (int(each) for each in rng.integers(SEEDS, size=2))
        bench = _Bench(searched, spec, Yardstick(duel, victim, options.episodes, chooser), effort, seed)
        with workers_for(options.workers, options.ray) as workers:
            together = options.together or workers.count
            name = bench.identity(space, options.sampler, together) if options.storage else "search"
            study = Study(space, seed, options.sampler, options.storage, name)
            kept: tuple[Tried, Finding] | None = None
            with _bar(options.trials, study.resumed) as show:
                for first in range(0, options.trials, together):
                    proposals = study.group(first, min(together, options.trials - first))
                    found = workers.run([bench.job(proposal) for proposal in proposals])
                    for place, candidate in found:
                        study.tell(proposals[place].number, candidate.tried)
                        kept = _better(kept, candidate.tried, candidate.finding)
                        show(None if kept is None else kept[0].value)
        return bench.finding(study, space, kept, together)


@dataclass(frozen=True, eq=False)
class _Bench:
    """What all trials of a search share."""

    oracle: type[Oracle]
    fixed: Spec
    yardstick: Yardstick
    effort: Effort | None
    seed: int

    def job(self, proposal: Proposal) -> Job:
        return self._job(replace(self.fixed, options={**self.fixed.options, **proposal.settings}))

    def finding(
        self, study: Study, space: tuple[Dimension, ...], kept: tuple[Tried, Finding] | None, together: int
    ) -> Finding:
        """The strongest attacker of all trials; one of an earlier run is found anew from its settings."""
        tried = study.tried()
        valued = [each for each in tried if each.value is not None]
        if not valued:
            raise RefusedError(f"oracle search: {self.fixed} refuses all trials: {tried[0].warnings[0]}")
        best = min(valued, key=_return_of)
        found = kept[1] if kept is not None and kept[0].oracle == best.oracle else self._again(best.oracle)
        steps = sum(each.steps for each in tried)
        refused = len(tried) - len(valued)
        notes = () if refused == 0 else (f"oracle search: {refused} of {len(tried)} trials were refused",)
        told = Search(
            oracle=str(self.fixed),
            space={dimension.name: str(dimension) for dimension in space},
            best=best.oracle,
            trials=len(tried),
            resumed=study.resumed,
            together=together,
            steps=steps,
            seconds=sum(each.seconds for each in tried),
        )
        return replace(found, steps=steps, warnings=(*found.warnings, *notes), tried=tuple(tried), search=told)

    def identity(self, space: tuple[Dimension, ...], sampler: str, together: int) -> str:
        """The name of the study: the same for a search that goes on, another for any other."""
        duel, victim = self.yardstick.duel, self.yardstick.victim
        told = [
            duel.game.spec,
            [[part.threat, dict(part.options), part.budget.value, part.benign] for part in duel.charged],
            victim.to_document(),
            str(self.fixed),
            [asdict(dimension) for dimension in space],
            None if self.effort is None else asdict(self.effort),
            [self.yardstick.episodes, self.yardstick.seed, self.seed, sampler, together],
        ]
        text = json.dumps(told, sort_keys=True, default=str)
        return f"{self.oracle.name}-{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"

    def _again(self, spec: str) -> Finding:
        found = self._job(parse(spec)).run().finding
        assert found is not None  # it was found before, by the same seed
        return found

    def _job(self, spec: Spec) -> Job:
        return Job.of(self.oracle(**spec.options), str(spec), self.yardstick, self.effort, self.seed)


def _class_of(spec: Spec) -> type[Oracle]:
    registry = default_registry()
    found = registry.load(registry.find("oracle", spec.name, spec.family))
    assert issubclass(found, Oracle)
    if issubclass(found, SettingsSearch):
        raise RequestError("oracle search: searches itself; name another oracle")
    return found


def _better(kept: tuple[Tried, Finding] | None, tried: Tried, finding: Finding | None) -> tuple[Tried, Finding] | None:
    if finding is None or (kept is not None and _return_of(kept[0]) <= _return_of(tried)):
        return kept
    return tried, finding


def _return_of(tried: Tried) -> float:
    assert tried.value is not None  # those that were refused are left out
    return tried.value


@contextmanager
def _bar(trials: int, done: int) -> Iterator[Any]:
    """A bar on standard error, if that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task("search", total=trials, completed=min(done, trials))

        def show(best: float | None) -> None:
            bar.update(task, advance=1, description="search" if best is None else f"search: {best:.4g}")

        yield show


@hookimpl
def sparring_oracles() -> list[type[Oracle]]:
    """Give `search`."""
    return [SettingsSearch]
