"""The solver `cfr+`: it reaches the linear programme's value, tells the truth, stops and goes on."""

from __future__ import annotations

import numpy as np
import pytest

import sparring
from sparring.errors import RefusedError, RequestError

pytest.importorskip("pyspiel", reason="needs the openspiel extra")


def duel_on(name, eps, seat=0, coin="decision"):
    return sparring.attack(name, f"partial-control(coin={coin})", eps, victim_player=seat, benign="uniform")


@pytest.mark.parametrize("spec", ["cfr+", "cfr+(predictive=true)"])
@pytest.mark.parametrize("coin", ["decision", "episode"])
@pytest.mark.parametrize(
    ("name", "eps", "seat"), [("kuhn_poker", 0.3, 1), ("leduc_poker", 1.0, 0), ("leduc_poker", 0.4, 1)]
)
def test_the_average_reaches_the_optimum(spec, coin, name, eps, seat):
    duel = duel_on(name, eps, seat, coin)
    answer = sparring.solve(duel, spec, iterations=3000)
    reached = duel.exploitability(answer.policy).lower
    assert answer.kind == "averaged"
    assert -1e-9 <= reached - answer.optimum.exploitability < 1e-3
    assert answer.trace[-1].averaged == reached
    assert answer.trace[-1].iteration == 3000


def test_a_target_gap_ends_it_early_and_is_kept():
    duel = duel_on("leduc_poker", 1.0)
    answer = sparring.solve(duel, "cfr+(target=0.01)", iterations=100_000, trace_every=10)
    assert answer.trace[-1].iteration < 1000
    assert answer.trace[-1].averaged - answer.optimum.exploitability <= 0.01


@pytest.mark.parametrize("predictive", ["false", "true"])
def test_every_kernel_gives_the_same_answer(predictive):
    duel = duel_on("kuhn_poker", 0.4, seat=1)
    asked = [f"cfr+(kernel={kernel},predictive={predictive})" for kernel in ("table", "unrolled", "auto")]
    table, *others = [sparring.solve(duel, spec, iterations=500, trace_every=100) for spec in asked]
    for other in others:
        assert np.array_equal(other.policy.probabilities, table.policy.probabilities)
        assert [(row.last, row.averaged) for row in other.trace] == [(row.last, row.averaged) for row in table.trace]


def test_a_large_game_is_not_unrolled():
    with pytest.raises(
        RefusedError, match=r"kernel=unrolled takes games of at most 500 .*has 7,106; choose kernel=table"
    ):
        sparring.solve(duel_on("leduc_poker", 1.0), "cfr+(kernel=unrolled)", iterations=10)


def test_auto_unrolls_where_it_pays(monkeypatch):
    from sparring.extensive import cfr, unrolled

    made = []
    monkeypatch.setattr(cfr, "unrolled", lambda *args: made.append(args) or unrolled.unrolled(*args))
    monkeypatch.setattr(unrolled, "PAYS_FROM", 1000)
    for name, iterations, count in (("kuhn_poker", 999, 0), ("kuhn_poker", 1000, 1), ("leduc_poker", 1000, 1)):
        sparring.solve(duel_on(name, 1.0), "cfr+", iterations=iterations)
        assert len(made) == count


def test_the_last_policy_can_be_had_instead():
    duel = duel_on("kuhn_poker", 1.0)
    answer = sparring.solve(duel, "cfr+(policy=last)", iterations=50)
    assert answer.kind == "last"
    assert duel.exploitability(answer.policy).lower == answer.trace[-1].last != answer.trace[-1].averaged


@pytest.mark.parametrize("stop_at", [1, 3])
def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(tmp_path, stop_at):
    duel = duel_on("leduc_poker", 0.5)
    whole = sparring.solve(duel, "cfr+", iterations=60, trace_every=10)
    seen = []

    def press(row):
        seen.append(row)
        if len(seen) == stop_at:
            raise KeyboardInterrupt

    stopped = sparring.solve(duel, "cfr+", iterations=60, trace_every=10, folder=tmp_path, report=press)
    assert stopped.interrupted
    assert stopped.trace[-1].iteration == 10 * stop_at
    resumed = sparring.solve(duel, "cfr+", iterations=60, trace_every=10, folder=tmp_path)
    assert not resumed.interrupted
    assert np.array_equal(resumed.policy.probabilities, whole.policy.probabilities)
    assert [row.last for row in resumed.trace] == [row.last for row in whole.trace]


def test_a_folder_of_another_run_is_refused(tmp_path):
    sparring.solve(duel_on("kuhn_poker", 0.5), "cfr+", iterations=10, folder=tmp_path)
    with pytest.raises(RequestError, match="holds a run with another threats"):
        sparring.solve(duel_on("kuhn_poker", 0.6), "cfr+", iterations=10, folder=tmp_path)
    other = sparring.attack("kuhn_poker", "partial-control", 0.5, benign="equilibrium")
    with pytest.raises(RequestError, match="holds a run with another threats"):
        sparring.solve(other, "cfr+", iterations=10, folder=tmp_path)
    (tmp_path / "cfr.npz").write_bytes(b"PK not an archive")
    with pytest.raises(RequestError, match="not an npz file"):
        sparring.solve(duel_on("kuhn_poker", 0.5), "cfr+", iterations=10, folder=tmp_path)


def test_other_forms_are_refused_by_name():
    duel = sparring.attack("matrix:rock-paper-scissors", "partial-control", 1.0)
    with pytest.raises(RefusedError, match="solver cfr\\+ on matrix:rock-paper-scissors: needs an extensive game"):
        sparring.solve(duel, "cfr+")
