"""Metrics: they measure drawn victims and attackers in the kit's attack games."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from sparring._needs import check_needs
from sparring.attack_game import Side
from sparring.metric import Metric, Scored
from sparring.testing.arena import Stage, offering, stages
from sparring.testing.bench import Bench, Done, Inputs, Setting

__all__ = ["MetricBench", "figures_are_json"]


@dataclass(frozen=True, eq=False)
class MetricBench(Bench):
    """Lets one metric measure."""

    def settings(self) -> list[Setting]:
        """Every attack game of the kit on the claimed forms that offers what it needs."""
        plugin = self.subject.make()
        assert isinstance(plugin, Metric)
        every = offering((stage for form in self.subject.kit_forms for stage in stages(form)), plugin.needs)
        return [Setting(stage.label, stage.form, partial(self._run, stage)) for stage in every]

    def _run(self, stage: Stage, seed: int) -> Done:
        metric = self.subject.make()
        assert isinstance(metric, Metric)
        duel, rng = stage.make(), np.random.default_rng(34)
        victim = stage.attacked(duel, rng)
        check_needs(f"metric {metric.name}", metric.needs, duel, victim)
        attackers = {"drawn": duel.draw(Side.ATTACKER, rng)}
        if Side.ATTACKER in duel.can.exact_response:
            attackers["exact"] = duel.best_response(victim)
        scored = [Scored(name, policy, float(duel.measure(victim, policy, rng))) for name, policy in attackers.items()]
        inputs = Inputs(game=duel.game, victim=victim, attacks=scored)
        figures = metric.measure(duel, victim, scored, np.random.default_rng(seed))
        return Done(figures, inputs, raw=figures)


def figures_are_json(bench: MetricBench) -> None:
    """Figures are JSON values by name; numbers are finite, and what is not known is null."""
    for setting, done in bench.performed:
        named = isinstance(done.raw, Mapping) and all(isinstance(name, str) for name in done.raw)
        try:
            text = json.dumps(dict(done.raw) if named else done.raw, allow_nan=False)
        except (TypeError, ValueError) as error:
            cause = f"it gives {done.raw!r}: {error}"
        else:
            if named and json.loads(text) == dict(done.raw):
                continue
            cause = f"it gives {done.raw!r}"
        remedy = "give a mapping from names to numbers, texts, lists or null; float(...) makes numbers of numpy's"
        raise bench.subject.failure(cause, remedy, setting.label)
