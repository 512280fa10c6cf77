"""Stage games and the most robust victim of a Markov game."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markov_duels import acted, dense, observed, partial_control, random_game, random_policy
from sparring.attack_game import Side
from sparring.errors import RefusedError
from sparring.markov.shapley import shapley
from sparring.matrix.linear_program import max_min
from sparring.matrix.stage import solve_stage, solve_stages
from sparring_games.markov import random_zero_sum, sa_toy, soccer

SEEDS = st.integers(0, 10_000)
EPS = st.sampled_from([0.0, 0.2, 0.5, 1.0])
RUNS = settings(derandomize=True, max_examples=30, deadline=None)


@settings(derandomize=True, max_examples=150, deadline=None)
@given(SEEDS, st.integers(1, 8), st.integers(1, 8), st.sampled_from(["real", "whole", "near"]))
def test_a_stage_game_is_what_linear_programming_says(seed, rows, columns, kind):
    rng = np.random.default_rng(seed)
    payoff = rng.normal(size=(rows, columns)) * 10.0 ** rng.integers(-3, 4)
    if kind != "real":
        payoff = rng.integers(-2, 3, size=(rows, columns)).astype(float)
    if kind == "near":  # rows and columns that almost repeat each other
        payoff += 1e-8 * rng.normal(size=(rows, columns))
    value, row, column = solve_stage(payoff)
    size = 1 + np.abs(payoff).max()
    assert value == pytest.approx(max_min(payoff)[1], abs=1e-7 * size)
    assert row.min() >= 0
    assert column.min() >= 0
    assert (row.sum(), column.sum()) == pytest.approx((1.0, 1.0))
    assert (payoff @ column).max() - (row @ payoff).min() <= 1e-12 * size


def test_a_stage_game_that_defeats_careless_pivots():
    """Met in soccer at gamma .99: two columns that differ by 4e-8 where it matters."""
    payoff = np.array(
        [
            [2.4061841227509422e-03, 2.4061841227509422e-03, 2.4061841227509422e-03, 7.7653628074551145e-02, 0.0738],
            [6.4435924015373014e-02, 3.8215548789371564e-14, 6.5107586066713838e-02, 0.0, 3.8215548789371564e-14],
            [6.4435924015373014e-02, 6.4708122311169888e-02, 6.5107626173677921e-02, 0.0374, 1.2673839040512269e-11],
            [0.0, 6.4061040756096560e-02, 0.0, 7.4553967650444170e-02, 6.4061041077850892e-02],
        ]
    )
    _, row, column = solve_stage(payoff)
    assert (payoff @ column).max() - (row @ payoff).min() <= 1e-16


@pytest.mark.parametrize("seed", range(8))
def test_stage_games_that_almost_repeat_themselves_are_certified(seed):
    """Small whole payoffs with noise far below them, and a row and a column that are there twice."""
    rng = np.random.default_rng(seed)
    games, rows, columns = 500, *rng.integers(3, 8, size=2)
    payoff = rng.integers(-2, 3, size=(games, rows, columns)).astype(float)
    payoff += 10.0 ** rng.uniform(-14, -4, size=(games, 1, 1)) * rng.normal(size=payoff.shape)
    payoff[:, -1] = payoff[:, 0] + 10.0 ** rng.uniform(-16, -6) * rng.normal(size=(games, columns))
    payoff[:, :, -1] = payoff[:, :, 0]
    values, row, column = solve_stages(payoff, np.ones((games, columns), dtype=bool))
    conceded = np.einsum("gij,gj->gi", payoff, column).max(axis=1)
    secured = np.einsum("gij,gi->gj", payoff, row).min(axis=1)
    assert (conceded - secured).max() <= 1e-9
    assert values == pytest.approx(secured, abs=1e-12)


def test_stage_games_keep_to_the_legal_columns():
    payoff = np.array([[[1.0, -9.0], [2.0, 5.0]], [[1.0, -9.0], [2.0, 5.0]]])
    values, rows, columns = solve_stages(payoff, np.array([[True, False], [False, True]]))
    assert values.tolist() == [2.0, 5.0]
    assert rows.tolist() == [[0, 1], [0, 1]]
    assert columns.tolist() == [[1, 0], [0, 1]]
    with pytest.raises(ArithmeticError, match="not finite"):
        solve_stage(np.array([[np.nan]]))


def plain_iteration(duel, sweeps):
    """Shapley's own iteration with HiGHS for the stage games."""
    game, values = duel.effective, np.zeros(duel.effective.shape[0])
    for _ in range(sweeps):
        quality = game.reward + duel.game.gamma * (game.transition @ values).reshape(game.shape)
        values = np.array([max_min(table[legal].T)[1] for table, legal in zip(quality, game.legal, strict=True)])
    return values


@settings(derandomize=True, max_examples=6, deadline=None)
@given(SEEDS, EPS, st.sampled_from([0, 1]))
def test_shapley_agrees_with_plain_value_iteration(seed, eps, seat):
    game = random_game(seed, states=3, actions=3, others=3, gamma=0.6)
    duel = partial_control(game, eps, random_policy(seed, 3, 3), seat)
    assert shapley(duel).values == pytest.approx(plain_iteration(duel, 40), abs=1e-7)


@RUNS
@given(SEEDS, EPS, st.sampled_from([0, 1]), st.sampled_from([0.0, 0.5, 0.9, 0.99, 0.999]), st.booleans())
def test_the_solution_is_a_saddle_point(seed, eps, seat, gamma, general):
    game = random_game(seed, states=5, actions=3, others=4, gamma=gamma, general=general)
    benign = random_policy(seed, 5, 4 if seat == 0 else 3)
    duel = partial_control(game, eps, benign, seat)
    solution = shapley(duel)
    assert solution.gap <= 1e-12 / (1 - gamma) + 1e-9 * (gamma == 0.999)
    assert duel.exploitability(solution.victim).lower == pytest.approx(-solution.value, abs=1e-8)
    _, best = duel.respond(Side.VICTIM, solution.attacker)
    assert float(best) == pytest.approx(solution.value, abs=1e-8)
    assert float(duel.value(solution.victim, solution.attacker)) == pytest.approx(solution.value, abs=1e-8)
    optimum = duel.optimum()
    assert optimum is not None
    assert optimum.exploitability == pytest.approx(-solution.value, abs=1e-12)
    for other in range(3):
        assert duel.exploitability(duel.draw(Side.VICTIM, np.random.default_rng(other))).lower >= -solution.value - 1e-8


@RUNS
@given(SEEDS, EPS, st.sampled_from([0.3, 0.9, 0.99]))
def test_pr_mdp_has_its_closed_form(seed, eps, gamma):
    """`V = (1 - eps) max Q + eps min Q`."""
    game = random_game(seed, gamma=gamma)
    solution = shapley(acted(game, eps))
    quality = game.reward[0, :, :, 0] + gamma * dense(game)[:, :, 0] @ solution.values
    backed = (1 - eps) * quality.max(axis=1) + eps * quality.min(axis=1)
    assert solution.values == pytest.approx(backed, abs=1e-9)
    assert (solution.victim.probabilities.max(axis=1) == 1.0).all()


def test_the_optimum_falls_as_the_budget_grows():
    game = random_game(7, others=3)
    duels = [partial_control(game, eps, random_policy(7, 4, 3)) for eps in np.linspace(0, 1, 6)]
    values = [shapley(duel).value for duel in duels]
    assert all(more <= less + 1e-12 for less, more in itertools.pairwise(values))


@pytest.mark.parametrize("gamma", [0.9, 0.99])
def test_soccer_is_solved_and_fair(gamma):
    duel = partial_control(soccer(gamma), 1.0)
    solution = shapley(duel)
    assert solution.value == pytest.approx(0.0, abs=1e-12)
    assert solution.gap <= 1e-12
    assert duel.exploitability(solution.victim).lower == pytest.approx(0.0, abs=1e-10)


def test_a_patient_game_takes_few_iterations():
    game = random_zero_sum(states=50, actions=4, actions1=4, gamma=0.99, seed=3)
    assert shapley(partial_control(game, 1.0)).iterations < 30


def test_shapley_refuses_a_victim_that_does_not_see_the_state():
    with pytest.raises(RefusedError, match=r"shapley on markov:sa-toy: .* choose min-oracle"):
        shapley(observed(sa_toy(), 1))


def test_too_few_iterations_are_an_error_and_no_answer():
    game = random_zero_sum(states=30, gamma=0.99, seed=3)
    with pytest.raises(ArithmeticError, match="not settled after 2 iterations"):
        shapley(partial_control(game, 1.0), max_iterations=2)
