"""Solvers and evaluation, unchanged, on a form that only samples: torch learners in a contextual bandit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import sparring
from sampled_form import BanditAttackGame, BanditGame, Trained, torch
from sparring.attack_game import Effort, LearnerState, Side, StepInfo
from sparring.errors import RefusedError, RequestError
from sparring.policy import Policy

ROCK_PAPER_SCISSORS = [[0, -1, 1], [1, 0, -1], [-1, 1, 0]]
LOPSIDED = [[1, -1, 0], [-1, 0.5, 0], [0, 0, -0.25]]


def make_duel(budget: float = 0.8) -> BanditAttackGame:
    game = BanditGame("bandit", np.array([ROCK_PAPER_SCISSORS, LOPSIDED], dtype=np.float64))
    duel = sparring.attack(game, "partial-control", budget, benign=game.uniform_policy(1))
    assert isinstance(duel, BanditAttackGame)
    return duel


def first(duel: BanditAttackGame, side: Side = Side.VICTIM, seed: int = 0) -> Policy:
    return duel.freeze(duel.start(side, seed))


class Backwards(BanditAttackGame):
    """A form whose victim goes downhill: what a solver must not get away with."""

    def step(
        self, state: LearnerState, against: Policy, rate: float, rng: np.random.Generator
    ) -> tuple[LearnerState, StepInfo]:
        return super().step(state, against, -rate if state.side is Side.VICTIM else rate, rng)


@pytest.mark.parametrize("side", ["attacker", None])
def test_confidence_intervals_cover_the_exact_value(side: str | None) -> None:
    duel = make_duel()
    victim, attacker = first(duel), None if side is None else first(duel, Side.ATTACKER)
    exact = duel.exact_value(victim, attacker)
    found = [duel.measure(victim, attacker, np.random.default_rng(seed), 400) for seed in range(300)]
    covered = sum(low <= exact <= high for low, high in (one.ci95 for one in found if one.ci95 is not None))
    # 285 expected with a deviation of 3.8; all of them would mean intervals too wide.
    assert 271 <= covered <= 298
    assert not any(one.exact for one in found)


def test_the_attacker_acts_as_often_as_the_budget_says() -> None:
    none, half, whole = make_duel(0.0), make_duel(0.5), make_duel(1.0)
    victim, rng = first(whole), np.random.default_rng
    attacker = whole.freeze(whole.respond(Side.ATTACKER, victim, rng=rng(0))[0])
    calm = none.exact_value(victim, None)
    for duel, share in ((none, 0.0), (half, 0.5), (whole, 1.0)):
        expected = share * whole.exact_value(victim, attacker) + (1 - share) * calm
        found = duel.measure(victim, attacker, rng(5), 40_000)
        assert found == pytest.approx(expected, abs=0.02)
    assert abs(whole.exact_value(victim, attacker) - calm) > 0.1


def test_a_trained_response_nears_the_best_one_and_more_effort_helps() -> None:
    duel = make_duel()
    victim = first(duel, seed=1)
    best = -duel.exact_exploitability(victim)
    reached = {}
    for updates in (1, 60):
        state, estimate = duel.respond(
            Side.ATTACKER, victim, effort=Effort(steps=128 * updates), rng=np.random.default_rng(0)
        )
        reached[updates] = duel.exact_value(victim, duel.freeze(state))
        assert state.updates == updates
        assert estimate.steps == 128 * updates + 2000
    assert best <= reached[60] < min(best + 0.1, reached[1])


@pytest.mark.parametrize("seed", [0, 1])
def test_min_oracle_lowers_exploitability_exact_and_sampled(seed: int) -> None:
    duel = make_duel()
    answer = sparring.solve(duel, "min-oracle(rate=1.0,policy=last)", iterations=40, seed=seed, trace_every=20)
    begun = first(duel, seed=seed)
    assert duel.exact_exploitability(answer.policy) < 0.6 * duel.exact_exploitability(begun)
    effort = Effort(steps=128 * 60)
    ends = [duel.exploitability(policy, effort, seed=7).lower for policy in (begun, answer.policy)]
    assert ends[1] < 0.6 * ends[0]
    assert ends[0] <= duel.exact_exploitability(begun) + 0.02
    assert [row.iteration for row in answer.trace] == [20, 40]
    assert answer.trace[-1].steps == 40 * (128 * 30 + 2000 + 128)


def test_a_form_that_goes_downhill_is_not_made_robust() -> None:
    honest = make_duel()
    duel = Backwards(honest.game, honest.charged, 0)
    answer = sparring.solve(duel, "min-oracle(rate=1.0,policy=last)", iterations=20, trace_every=20)
    assert duel.exact_exploitability(answer.policy) > 0.9 * duel.exact_exploitability(first(duel))


@pytest.mark.parametrize(
    ("solver", "iterations"),
    [
        ("two-timescale(victim_rate=0.2,attacker_rate=2.0)", 120),
        ("self-play(rate=0.5)", 120),
        ("fictitious-play", 12),
    ],
)
def test_the_other_solvers_run_unchanged(solver: str, iterations: int) -> None:
    duel = make_duel()
    answer = sparring.solve(duel, solver, iterations=iterations, trace_every=iterations // 12)
    assert duel.exact_exploitability(answer.policy) < 0.85 * duel.exact_exploitability(first(duel))
    assert len(answer.trace) == 12
    assert duel.check_policy(answer.policy, Side.VICTIM) is answer.policy


def test_a_learner_resumes_exactly_with_optimiser_and_generator(tmp_path: Path) -> None:
    duel = make_duel()
    attacker, rng = first(duel, Side.ATTACKER), np.random.default_rng(0)

    def go_on(state: LearnerState) -> list[np.ndarray]:
        for _ in range(3):
            state, _ = duel.step(state, attacker, 0.5, rng)
        return [part.detach().numpy() for part in state.parameters]

    state = duel.start(Side.VICTIM, 3)
    for _ in range(4):
        state, _ = duel.step(state, attacker, 0.5, rng)
    duel.save_state(state, tmp_path / "victim")
    expected, loaded = go_on(state), duel.load_state(tmp_path / "victim")
    assert (loaded.updates, loaded.side) == (4, Side.VICTIM)
    assert all(np.array_equal(one, other) for one, other in zip(expected, go_on(loaded), strict=True))
    for forgotten in ("optimiser", "generator"):
        other = duel.load_state(tmp_path / "victim")
        object.__setattr__(other, forgotten, getattr(duel._copy(duel.start(Side.VICTIM, 9)), forgotten))
        if forgotten == "optimiser":
            fresh = torch.optim.SGD(other.parameters, lr=1.0, momentum=0.5)
            object.__setattr__(other, "optimiser", fresh)
        assert not all(np.array_equal(one, part) for one, part in zip(expected, go_on(other), strict=True))


@pytest.mark.parametrize("solver", ["min-oracle(rate=1.0,policy=averaged)", "self-play(rate=1.0,policy=last)"])
def test_a_solver_resumes_exactly(solver: str, tmp_path: Path) -> None:
    duel = make_duel()
    straight = sparring.solve(duel, solver, iterations=6, trace_every=3)
    sparring.solve(duel, solver, iterations=3, trace_every=3, folder=tmp_path)
    resumed = sparring.solve(duel, solver, iterations=6, trace_every=3, folder=tmp_path)
    assert resumed.policy.to_document() == straight.policy.to_document()
    assert [row.last for row in resumed.trace] == [row.last for row in straight.trace]


def test_a_step_leaves_the_state_it_was_given_alone() -> None:
    duel = make_duel()
    state, attacker = duel.start(Side.VICTIM, 0), first(duel, Side.ATTACKER)
    state, _ = duel.step(state, attacker, 1.0, np.random.default_rng(0))
    once, _ = duel.step(state, attacker, 1.0, np.random.default_rng(0))
    again, _ = duel.step(state, attacker, 1.0, np.random.default_rng(0))
    assert duel.freeze(once).to_document() == duel.freeze(again).to_document() != duel.freeze(state).to_document()


def test_evaluation_with_an_oracle_of_ones_own() -> None:
    duel = make_duel()
    victim = first(duel)
    report = sparring.evaluate(duel, victim, [Trained()], effort=Effort(steps=128 * 60), episodes=4000)
    found = report.exploitability
    assert (found.exact, found.confidence, found.method, found.trivial_upper) == (False, 0.95, "trained", True)
    assert found.upper == pytest.approx(1.1)
    assert found.lower == pytest.approx(duel.exact_exploitability(victim), abs=0.15)
    assert report.nominal.value == pytest.approx(duel.exact_value(victim, None), abs=0.05)
    assert report.attacks[0].value < report.nominal.value
    assert report.attacks[0].episodes == 4000
    assert report.attacks[0].ci95 is not None
    repeated = sparring.evaluate(duel, victim, [Trained()], effort=Effort(steps=128 * 60), episodes=4000)
    assert repeated.exploitability == found


def test_what_the_form_cannot_do_is_refused_by_name() -> None:
    duel = make_duel()
    with pytest.raises(RefusedError, match="oracle exact needs exact-response:attacker on bandit"):
        sparring.evaluate(duel, first(duel))
    with pytest.raises(RefusedError, match="action on bandit"):
        sparring.attack(duel.game, "action", 0.5)
    with pytest.raises(RequestError, match="no policy of seat 1"):
        duel.measure(first(duel), first(duel), np.random.default_rng(0))
