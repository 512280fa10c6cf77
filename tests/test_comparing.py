"""Two agents on the same seeds: differences are paired, and what was not played by both is told."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, ttest_rel

from sparring import attack, evaluate
from sparring.cli import run
from sparring.comparing import compared
from sparring.errors import RequestError
from tiny_world import TinyGame, Tracker

DUEL = attack(TinyGame(), "observation(space=raw)", 0.4).in_batches(8)


def report(gain, episodes=30, seed=1, oracles=("random", "random(noise=sign)")):
    return evaluate(DUEL, Tracker(gain=gain), oracles=oracles, episodes=episodes, seed=seed, victim_spec=f"gain {gain}")


@pytest.fixture(scope="module")
def two():
    return report(1.0), report(0.8)


def test_differences_are_paired(two):
    first, second = two
    nominal, *_ = compared(first, second)
    one, other = np.array(first.nominal.returns), np.array(second.nominal.returns)
    assert nominal.difference == pytest.approx((other - one).mean())
    low, high = ttest_rel(other, one).confidence_interval()
    assert nominal.ci95 == pytest.approx((low, high))
    alone = 2 * np.hypot(one.std(), other.std()) / np.sqrt(30)
    assert high - low < 0.3 * 2 * alone, "shared chance is taken out of the difference"
    assert (nominal.first, nominal.second, nominal.attack) == ("gain 1.0", "gain 0.8", "no attack")
    assert (nominal.episodes, nominal.left_out, nominal.budget) == (30, 0, 0.4)


def test_the_probability_of_improvement_is_that_of_mann_and_whitney(two):
    for found, one, other in zip(compared(*two)[1:3], two[0].attacks, two[1].attacks, strict=True):
        statistic = mannwhitneyu(other.returns, one.returns).statistic
        assert found.improvement == pytest.approx(statistic / 900)
        low, high = found.improvement_ci95
        assert low < found.improvement < high
    backwards = compared(two[1], two[0])
    for there, back in zip(compared(*two), backwards, strict=True):
        assert there.difference == pytest.approx(-back.difference)
        assert there.improvement == pytest.approx(1 - back.improvement)


def test_an_agent_beside_itself():
    for found in compared(report(1.0), report(1.0)):
        assert (found.difference, found.ci95, found.improvement) == (0, (0, 0), 0.5)


def test_each_agent_meets_the_attack_chosen_as_its_strongest(two):
    (strongest,) = [found for found in compared(*two) if found.attack == "strongest"]
    values = [next(each.value for each in item.attacks if each.oracle == item.exploitability.method) for item in two]
    assert strongest.difference == pytest.approx(values[1] - values[0])


def test_only_shared_seeds_count():
    found = compared(report(1.0, 30), report(0.8, 12))
    assert {(each.episodes, each.left_out) for each in found} == {(12, 18)}
    whole = compared(report(1.0, 12), report(0.8, 12))
    assert [each.difference for each in found] == [each.difference for each in whole]
    with pytest.raises(RequestError, match="share 0 seeds of episodes; evaluate both with the same --seed"):
        compared(report(1.0), report(0.8, seed=2))


def test_exact_values_have_no_episodes():
    exact = evaluate(attack("matrix:rock-paper-scissors"), "uniform")
    assert compared(exact, exact) == []


def test_the_command_line(two, tmp_path, capsys):
    for name, item in zip("ab", two, strict=True):
        item.to_json(tmp_path / f"{name}.json")
    report(1.2, 12).to_json(tmp_path / "c.json")
    files = [str(tmp_path / f"{name}.json") for name in "abc"]
    assert run(["compare", *files[:2]]) == 0
    shown = capsys.readouterr().out
    assert "paired by seed" in shown
    assert "warning" not in shown
    assert run(["compare", *files, "--json", "-"]) == 0
    out, aside = capsys.readouterr()
    told = json.loads(out)
    assert told["schema"] == "sparring.comparison/1"
    assert [(each["second"], each["attack"]) for each in told["comparisons"]] == [
        (victim, name)
        for victim in ("gain 0.8", "gain 1.2")
        for name in ("no attack", "random", "random(noise=sign)", "strongest")
    ]
    assert "warning: up to 18 episodes were played by one of two agents alone" in aside
    assert run(["compare", *files, "--json", str(tmp_path / "no" / "x.json")]) == 2
