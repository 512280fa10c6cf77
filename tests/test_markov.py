"""Markov games under attack: the effective tables, values, gradients and best responses."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markov_duels import (
    acted,
    controlled,
    dense,
    evaluate,
    every_choice,
    observation,
    observed,
    partial_control,
    random_game,
    random_policy,
    worst_over,
)
from sparring.access import ActionAccess, ChargedAccess, Coin, DynamicsAccess, ObservationAccess, OpponentAccess
from sparring.attack_game import Side
from sparring.budgets import FORCE_BOUND, GRAPH_RADIUS, MIXING_PROBABILITY
from sparring.errors import RefusedError, RequestError
from sparring.markov.attack_game import MarkovAttackGame
from sparring.markov.distance import graph_distance
from sparring.markov.game import MarkovGame
from sparring.markov.policy import MarkovPolicy
from sparring.policy import Mixture
from sparring_games.markov import grid_traps, random_zero_sum, sa_toy

SEEDS = st.integers(0, 10_000)
EPS = st.sampled_from([0.0, 0.1, 0.3, 0.75, 1.0])
RUNS = settings(derandomize=True, max_examples=25, deadline=None)
RNG = np.random.default_rng(0)


def algorithm_6_4(game, radius, policy):
    """Value iteration over the observations within the radius (thesis, algorithm 6.4), by plain loops."""
    transition, reward = dense(game)[:, :, 0], game.reward[0, :, :, 0]
    reach = np.eye(game.states, dtype=bool)
    for _ in range(radius):
        reach = reach | (reach.astype(int) @ game.neighbours.astype(int) > 0)
    values = np.zeros(game.states)
    while True:
        quality = reward + game.gamma * transition @ values
        new = np.array([min(policy[o] @ quality[s] for o in np.flatnonzero(reach[s])) for s in range(game.states)])
        if np.abs(new - values).max() < 1e-13:
            return new
        values = new


@pytest.mark.parametrize(
    ("first", "nominal", "attacked"),
    [
        ([0, 1, 1], [100, 100, 100], [0, 0, 0]),
        ([0.5, 0.5, 0.5], [50, 50, 50], [50, 50, 50]),
        ([0, 0, 0], [33.67, 33.00, 33.33], [33.67, 33.00, 33.33]),
        ([1, 1, 1], [0, 100, 100], [0, 100, 100]),
    ],
)
def test_the_toy_has_the_values_of_the_thesis(first, nominal, attacked):
    game = sa_toy()
    duel = observed(game, 1)
    victim = MarkovPolicy(np.column_stack([first, 1 - np.array(first)]))
    assert duel.state_values(victim) == pytest.approx(nominal, abs=5e-3)
    worst = duel.state_values(victim, duel.best_response(victim))
    assert worst == pytest.approx(attacked, abs=5e-3)
    assert worst == pytest.approx(algorithm_6_4(game, 1, victim.probabilities), abs=1e-9)
    assert duel.exploitability(victim).lower == pytest.approx(-worst.mean(), abs=1e-9)


@RUNS
@given(SEEDS, st.integers(0, 3))
def test_an_observation_attack_is_algorithm_6_4(seed, radius):
    game = random_game(seed)
    duel, victim = observed(game, radius), random_policy(seed, 4, 3)
    attacker = duel.best_response(victim)
    values = algorithm_6_4(game, radius, victim.probabilities)
    assert duel.state_values(victim, attacker) == pytest.approx(values, abs=1e-9)
    interval = duel.exploitability(victim)
    assert interval.exact
    assert -interval.lower == pytest.approx(float(duel.value(victim, attacker)), abs=1e-12)


@RUNS
@given(SEEDS, EPS, st.sampled_from([0, 1]), st.booleans())
def test_partial_control_is_the_mixed_policy(seed, eps, seat, general):
    game = random_game(seed, states=3, actions=2, others=3, general=general)
    own, other = (2, 3) if seat == 0 else (3, 2)
    benign, victim = random_policy(seed, 3, other), random_policy(seed + 1, 3, own)
    duel = partial_control(game, eps, benign, seat)
    attacker = random_policy(seed + 2, 3, other)
    deployed = (1 - eps) * benign.probabilities + eps * attacker.probabilities
    pair = (victim.probabilities, deployed) if seat == 0 else (deployed, victim.probabilities)
    step = np.einsum("sx,sy,sxyt->st", *pair, dense(game))
    reward = np.einsum("sx,sy,sxy->s", *pair, game.reward[seat])
    assert duel.state_values(victim, attacker) == pytest.approx(evaluate(step, reward, game.gamma), abs=1e-10)


@RUNS
@given(SEEDS, EPS, st.sampled_from([0, 1]))
def test_the_best_response_is_the_least_over_deterministic_attackers(seed, eps, seat):
    game = random_game(seed, states=3, actions=2, others=2, general=True)
    benign, victim = random_policy(seed, 3, 2), random_policy(seed + 1, 3, 2)
    duel = partial_control(game, eps, benign, seat)
    tables, reward = dense(game), game.reward[seat]
    if seat == 1:
        tables, reward = tables.swapaxes(1, 2), reward.swapaxes(1, 2)
    mixed = (1 - eps) * benign.probabilities[:, None] + eps * np.eye(2)
    step = np.einsum("sa,sbc,sact->sbt", victim.probabilities, mixed, tables)
    gain = np.einsum("sa,sbc,sac->sb", victim.probabilities, mixed, reward)
    values = worst_over(itertools.product(range(2), repeat=3), step, gain, game.gamma)
    assert duel.state_values(victim, duel.best_response(victim)) == pytest.approx(values, abs=1e-10)
    assert duel.exploitability(victim).lower == pytest.approx(-game.rho @ values, abs=1e-10)


@RUNS
@given(SEEDS, EPS)
def test_only_the_payoff_of_the_victim_counts(seed, eps):
    game = random_game(seed, others=2, general=True)
    spiteful = MarkovGame.from_arrays(
        "zero-sum", dense(game), game.reward[0], gamma=game.gamma, rho=game.rho, neighbours=game.neighbours
    )
    assert spiteful.zero_sum
    assert not game.zero_sum
    benign, victim = random_policy(seed, 4, 2), random_policy(seed, 4, 3)
    one, two = (partial_control(each, eps, benign).exploitability(victim).lower for each in (game, spiteful))
    assert one == pytest.approx(two, abs=1e-12)


@RUNS
@given(SEEDS, EPS, st.sampled_from([0, 1]))
def test_a_seat_is_a_name_for_the_same_game_turned_round(seed, eps, seat):
    game = random_game(seed, states=3, actions=2, others=4, general=True)
    turned = MarkovGame.from_arrays(
        "turned",
        dense(game).swapaxes(1, 2),
        game.reward[::-1].swapaxes(2, 3),
        gamma=game.gamma,
        rho=game.rho,
    )
    own, other = (2, 4) if seat == 0 else (4, 2)
    benign, victim = random_policy(seed, 3, other), random_policy(seed + 1, 3, own)
    one = partial_control(game, eps, benign, seat).exploitability(victim).lower
    two = partial_control(turned, eps, benign, 1 - seat).exploitability(victim).lower
    assert one == pytest.approx(two, abs=1e-12)


@RUNS
@given(SEEDS, st.sampled_from([0.2, 0.6, 1.0]))
def test_a_coin_tossed_once_an_episode_is_an_average_of_two_games(seed, eps):
    game = random_game(seed, states=3, actions=2, others=2)
    benign, victim = random_policy(seed, 3, 2), random_policy(seed + 1, 3, 2)
    duel = partial_control(game, eps, benign, coin=Coin.EPISODE)
    step = np.einsum("sa,sact->sct", victim.probabilities, dense(game))
    gain = np.einsum("sa,sac->sc", victim.probabilities, game.reward[0])
    calm = evaluate(
        np.einsum("sc,sct->st", benign.probabilities, step), (benign.probabilities * gain).sum(axis=1), game.gamma
    )
    worst = worst_over(itertools.product(range(2), repeat=3), step, gain, game.gamma)
    expected = game.rho @ ((1 - eps) * calm + eps * worst)
    assert -duel.exploitability(victim).lower == pytest.approx(expected, abs=1e-10)
    assert float(duel.value(victim, duel.best_response(victim))) == pytest.approx(expected, abs=1e-10)
    assert float(duel.value(victim)) == pytest.approx(game.rho @ calm, abs=1e-10)
    assert not duel.sees_state
    assert duel.optimum() is None
    with pytest.raises(RefusedError, match="not told how the coin fell"):
        duel.respond(Side.VICTIM, duel.best_response(victim))


def test_an_episode_coin_that_always_falls_one_way_needs_no_benign_policy():
    game, victim = random_game(3, others=2), random_policy(3, 4, 3)
    once = partial_control(game, 1.0, coin=Coin.EPISODE)
    assert once.sees_state
    each = partial_control(game, 1.0).exploitability(victim).lower
    assert once.exploitability(victim).lower == pytest.approx(each, abs=1e-12)


@RUNS
@given(SEEDS, EPS, st.integers(0, 2))
def test_observation_and_action_attacks_compose(seed, eps, radius):
    """The victim acts on what it is shown, and then that action is replaced."""
    game = random_game(seed, states=3, actions=2)
    duel = MarkovAttackGame(game, [observation(game, radius), controlled(ActionAccess(), eps)], None)
    victim = random_policy(seed, 3, 2).probabilities
    reach = graph_distance(game.neighbours) <= radius
    made = np.array([(1 - eps) * victim[o] + eps * np.eye(2)[a] for o in range(3) for a in range(2)])
    step = np.einsum("ba,sat->sbt", made, dense(game)[:, :, 0])
    gain = np.einsum("ba,sa->sb", made, game.reward[0, :, :, 0])
    values = worst_over(every_choice(np.repeat(reach, 2, axis=1)), step, gain, game.gamma)
    best = duel.best_response(MarkovPolicy(victim))
    assert duel.state_values(MarkovPolicy(victim), best) == pytest.approx(values, abs=1e-10)


@RUNS
@given(SEEDS, EPS)
def test_control_of_the_other_seat_composes_with_an_observation_attack(seed, eps):
    game = random_game(seed, states=2, actions=2, others=2)
    benign, victim = random_policy(seed, 2, 2), random_policy(seed + 1, 2, 2)
    shown = ObservationAccess(size=1.0 - np.eye(2))
    parts = [controlled(OpponentAccess(benign), eps), ChargedAccess(shown, GRAPH_RADIUS.budget(1), "observation")]
    duel = MarkovAttackGame(game, parts, 0)
    deployed = (1 - eps) * benign.probabilities[:, None] + eps * np.eye(2)
    step = np.einsum("oa,sbc,sact->sbot", victim.probabilities, deployed, dense(game)).reshape(2, 4, 2)
    gain = np.einsum("oa,sbc,sac->sbo", victim.probabilities, deployed, game.reward[0]).reshape(2, 4)
    values = worst_over(itertools.product(range(4), repeat=2), step, gain, game.gamma)
    assert duel.state_values(victim, duel.best_response(victim)) == pytest.approx(values, abs=1e-10)


@RUNS
@given(SEEDS, st.sampled_from([0, 1]), st.sampled_from([0.0, 1.0, 2.0]))
def test_dynamics_attacks_choose_among_tables(seed, seat, force):
    game = random_game(seed, states=2, actions=2, others=3)
    extra = np.random.default_rng(seed).dirichlet(np.ones(2), size=(2, 2, 2, 3))
    size = np.array([[1.0, 2.0], [np.inf, 1.0]])
    own, other = (2, 3) if seat == 0 else (3, 2)
    benign, victim = random_policy(seed, 2, other), random_policy(seed + 1, 2, own)
    parts = [
        ChargedAccess(DynamicsAccess(transition=extra, size=size), FORCE_BOUND.budget(force), "dynamics"),
        controlled(OpponentAccess(benign), 0.0),
    ]
    duel = MarkovAttackGame(game, parts, seat)
    pair = (victim, benign) if seat == 0 else (benign, victim)
    tables = np.stack([dense(game), *extra])
    step = np.einsum("sx,sy,ksxyt->skt", *(each.probabilities for each in pair), tables)
    gain = np.einsum("sx,sy,sxy->s", *(each.probabilities for each in pair), game.reward[seat])
    legal = np.column_stack([np.ones(2, bool), size <= force])
    values = worst_over(every_choice(legal), step, np.repeat(gain[:, None], 3, axis=1), game.gamma)
    assert duel.state_values(victim, duel.best_response(victim)) == pytest.approx(values, abs=1e-10)


def duels(seed):
    """One attack game of each kind as a function of a budget between 0 and 1."""
    alone, both = random_game(seed), random_game(seed, others=2)
    benign = random_policy(seed, 4, 2)
    rng = np.random.default_rng(seed)
    allowed, share = rng.random((4, 3)) < 0.4, rng.random(4)
    far, extra = graph_distance(alone.neighbours), rng.dirichlet(np.ones(4), size=(1, 4, 3))
    reach = {0.0: 0, 0.25: 1, 0.5: 2, 1.0: 3}

    def moved(budget):
        return MarkovAttackGame(alone, [controlled(DynamicsAccess(transition=extra), budget)], None)

    def shown(budget):
        return MarkovAttackGame(alone, [controlled(ObservationAccess(size=far), budget)], None)

    return {
        "partial control": lambda budget: partial_control(both, budget, benign),
        "episode coin": lambda budget: partial_control(both, budget, benign, coin=Coin.EPISODE),
        "shared control": lambda budget: partial_control(both, budget, benign, share=share),
        "action": lambda budget: acted(alone, budget),
        "some actions": lambda budget: acted(alone, budget, allowed),
        "observation": lambda budget: observed(alone, reach[budget]),
        "observation by chance": shown,
        "dynamics by chance": moved,
    }


@pytest.mark.parametrize("kind", list(duels(0)))
@pytest.mark.parametrize("seed", range(6))
def test_budget_zero_changes_nothing_and_more_never_helps(kind, seed):
    make, victim = duels(seed)[kind], random_policy(seed + 1, 4, 3)
    ladder = [make(budget) for budget in (0.0, 0.25, 0.5, 1.0)]
    nominal = float(ladder[0].value(victim))
    assert -ladder[0].exploitability(victim).lower == pytest.approx(nominal, abs=1e-12)
    anybody = ladder[0].freeze(ladder[0].start(Side.ATTACKER, 0))
    assert float(ladder[0].value(victim, anybody)) == pytest.approx(nominal, abs=1e-12)
    values = [-duel.exploitability(victim).lower for duel in ladder]
    assert all(more <= less + 1e-12 for less, more in itertools.pairwise(values))
    assert all(float(duel.value(victim)) == pytest.approx(nominal, abs=1e-12) for duel in ladder)
    assert values[-1] >= ladder[-1].least_return() - 1e-12


@pytest.mark.parametrize("kind", list(duels(0)))
@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("seed", range(3))
def test_gradients_agree_with_finite_differences(kind, side, seed):
    """Along straight lines between policies, where every table in between is a policy too."""
    duel = duels(seed)[kind](0.5)
    rng = np.random.default_rng(seed + 10)
    here, there, against = duel.draw(side, rng), duel.draw(side, rng), duel.draw(side.other, rng)
    way = there.probabilities - here.probabilities

    def between(share):
        return MarkovPolicy(here.probabilities + share * way)

    def value(share):
        return float(duel.value(*((between(share), against) if side is Side.VICTIM else (against, between(share)))))

    slope = np.sum(duel.gradient(side, between(0.5), against) * way)
    assert (value(0.5 + 1e-4) - value(0.5 - 1e-4)) / 2e-4 == pytest.approx(slope, rel=1e-5, abs=1e-8)


@RUNS
@given(SEEDS, st.sampled_from(list(Side)))
def test_a_step_moves_uphill_and_stays_among_the_policies(seed, side):
    duel = duels(seed)["some actions"](0.5)
    state = duel.start(side, seed)
    against = duel.draw(side.other, np.random.default_rng(seed))
    moved, info = duel.step(state, against, 1e-3, RNG)
    table = duel.freeze(moved).probabilities
    assert table.sum(axis=1) == pytest.approx(1.0)
    assert (table >= 0).all()
    duel.check_policy(duel.freeze(moved), side)
    before, after = (
        float(duel.value(*((policy, against) if side is Side.VICTIM else (against, policy))))
        for policy in (duel.freeze(state), duel.freeze(moved))
    )
    gain = after - before if side is Side.VICTIM else before - after
    assert gain >= -1e-12
    assert info.gradient_norm is not None
    assert moved.updates == 1


@RUNS
@given(SEEDS, EPS)
def test_the_best_victim_is_the_best_of_the_deterministic_ones(seed, eps):
    game = random_game(seed, states=3, actions=2, others=2)
    duel = partial_control(game, eps, random_policy(seed, 3, 2))
    attacker = random_policy(seed + 1, 3, 2)
    state, value = duel.respond(Side.VICTIM, attacker)
    tables = [MarkovPolicy(np.eye(2)[list(pick)]) for pick in itertools.product(range(2), repeat=3)]
    assert float(value) == pytest.approx(max(float(duel.value(each, attacker)) for each in tables), abs=1e-10)
    assert float(duel.value(duel.freeze(state), attacker)) == pytest.approx(float(value), abs=1e-12)


def test_many_states_are_solved_as_exactly_as_few():
    game = random_zero_sum(states=500, actions=2, actions1=2, gamma=0.95, seed=1, branching=3)
    benign, victim = random_policy(1, 500, 2), random_policy(2, 500, 2, player=0)
    duel = partial_control(game, 0.3, benign)
    attacker = duel.best_response(victim)
    deployed = 0.7 * benign.probabilities + 0.3 * attacker.probabilities
    step = np.einsum("sx,sy,sxyt->st", victim.probabilities, deployed, dense(game))
    reward = np.einsum("sx,sy,sxy->s", victim.probabilities, deployed, game.reward[0])
    assert duel.state_values(victim, attacker) == pytest.approx(evaluate(step, reward, 0.95), abs=1e-10)
    way = random_policy(4, 500, 2).probabilities - victim.probabilities
    slope = np.sum(duel.gradient(Side.VICTIM, victim, attacker) * way)
    moved = MarkovPolicy(victim.probabilities + 1e-5 * way)
    rise = float(duel.value(moved, attacker)) - float(duel.value(victim, attacker))
    assert rise / 1e-5 == pytest.approx(slope, rel=1e-3)


def test_mixtures_are_averages_of_values_and_bracket_exploitability():
    game = random_game(5, others=2)
    duel = partial_control(game, 0.5, random_policy(5, 4, 2))
    first, second = random_policy(6, 4, 3), random_policy(7, 4, 3)
    mixed = duel.mix(duel.mix(None, first, 0.3, Side.VICTIM), second, 0.25, Side.VICTIM)
    assert isinstance(mixed, Mixture)
    attacker = random_policy(8, 4, 2)
    expected = 0.75 * duel.value(first, attacker) + 0.25 * duel.value(second, attacker)
    assert float(duel.value(mixed, attacker)) == pytest.approx(expected, abs=1e-12)
    interval = duel.exploitability(mixed)
    assert not interval.exact
    grid = [MarkovPolicy(np.eye(2)[list(pick)]) for pick in itertools.product(range(2), repeat=4)]
    truth = -min(float(duel.value(mixed, each)) for each in grid)
    assert interval.lower <= truth + 1e-12
    assert truth <= interval.upper + 1e-12
    with pytest.raises(RefusedError, match="once an episode"):
        duel.respond(Side.ATTACKER, mixed)


def test_a_learner_resumes_from_its_file(tmp_path):
    duel = acted(random_game(1), 0.5)
    state = duel.start(Side.ATTACKER, 3)
    duel.save_state(state, tmp_path / "learner.npz")
    again = duel.load_state(tmp_path / "learner.npz")
    assert again.side is Side.ATTACKER
    assert (again.parameters == state.parameters).all()


def test_an_observation_attack_refuses_the_best_victim():
    duel = observed(sa_toy(), 1)
    with pytest.raises(RefusedError, match="respond:victim on markov:sa-toy under observation"):
        duel.respond(Side.VICTIM, duel.draw(Side.ATTACKER, RNG))
    assert duel.optimum() is None


def test_a_size_of_nothing_is_still_no_attack_at_budget_zero():
    game, victim = random_game(2), random_policy(2, 4, 3)
    free = ChargedAccess(ObservationAccess(size=np.zeros((4, 4))), GRAPH_RADIUS.budget(0), "observation")
    duel = MarkovAttackGame(game, [free], None)
    assert -duel.exploitability(victim).lower == pytest.approx(float(duel.value(victim)), abs=1e-12)


def test_graph_distance_counts_steps():
    line = np.diag(np.ones(3), 1).astype(bool)
    assert graph_distance(line).tolist() == [
        [0, 1, 2, 3],
        [np.inf, 0, 1, 2],
        [np.inf, np.inf, 0, 1],
        [np.inf, np.inf, np.inf, 0],
    ]
    assert graph_distance(np.ones((3, 3), bool)).max() == 1
    assert graph_distance(grid_traps().neighbours).max() == 6
    with pytest.raises(RequestError, match=r"shape \[2, 3\]"):
        graph_distance(np.ones((2, 3), bool))


def both_seats():
    return random_game(0, others=2)


def one_agent():
    return random_game(0)


MIX = MIXING_PROBABILITY.budget(0.5)


@pytest.mark.parametrize(
    ("game", "parts", "line"),
    [
        (one_agent, [controlled(OpponentAccess(random_policy(0, 4, 1)), 0.5)], "no other seat"),
        (both_seats, [], "nothing says what the other one does"),
        (both_seats, [controlled(OpponentAccess(random_policy(0, 4, 2)), 0.5)] * 2, "touch the same channel"),
        (both_seats, [controlled(OpponentAccess(None), 0.5)], "give benign"),
        (both_seats, [controlled(OpponentAccess(random_policy(0, 3, 2)), 0.5)], r"benign has shape \[3, 2\]"),
        (one_agent, [controlled(ActionAccess(allowed=np.ones((4, 4), bool)), 0.5)], r"allowed has shape \[4, 4\]"),
        (one_agent, [controlled(ActionAccess(mode="mix"), 0.5)], "no meaning on the markov form"),
        (one_agent, [controlled(ObservationAccess(size=np.full((4, 4), np.nan)), 0.5)], "not numbers"),
        (one_agent, [controlled(ObservationAccess(size=np.full((4, 4), -1.0)), 0.5)], "negative"),
        (one_agent, [controlled(DynamicsAccess(transition=np.ones((1, 4, 3, 4))), 0.5)], "no distributions"),
        (one_agent, [controlled(DynamicsAccess(transition=np.ones((1, 4, 2, 4))), 0.5)], "alternative 0 has shape"),
    ],
)
def test_what_tables_do_not_have_is_refused_in_one_line(game, parts, line):
    with pytest.raises(RequestError, match=line) as caught:
        MarkovAttackGame(game(), parts, None)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("policy", "side", "line"),
    [
        (random_policy(0, 3, 3), Side.VICTIM, r"shape \[3, 3\] does not fit random 0, expected \[4, 3\]"),
        (random_policy(0, 4, 3, player=1), Side.VICTIM, "policy for seat 1"),
        (random_policy(0, 4, 4), Side.ATTACKER, "outside the budget"),
    ],
)
def test_policies_of_another_game_are_refused(policy, side, line):
    allowed = np.zeros((4, 3), bool)
    with pytest.raises(RequestError, match=line):
        acted(one_agent(), 0.5, allowed).check_policy(policy, side)


SHARES = np.full((2, 2, 2), 0.5)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"transition": SHARES * [1, 1.1]}, r"transition at state 0, action 0 sums to 1.05, expected 1"),
        ({"transition": np.add(SHARES, [0.6, -0.6])}, "has the entry -0.1"),
        ({"transition": SHARES * np.nan}, "expected a finite number"),
        ({"transition": np.ones((2, 2))}, r"expected \[S, A, S\] or \[S, A0, A1, S\]"),
        ({"reward": np.ones((2, 3))}, r"reward has shape \[2, 3\], expected one of \[2, 2\], \[2, 2, 2\]"),
        ({"reward": np.full((2, 2, 2), np.inf)}, r"reward at \[0, 0, 0\] is inf"),
        ({"gamma": 1.0}, "gamma is 1.0, expected a number from 0 to below 1"),
        ({"rho": np.array([0.5, 0.6])}, "rho sums to 1.1"),
        ({"rho": np.ones(3) / 3}, r"rho has shape \[3\]"),
        ({"neighbours": np.ones((3, 3), bool)}, r"neighbours has shape \[3, 3\], expected \[2, 2\]"),
        ({"state_names": ("only one",)}, r"state_names has shape \[1\]"),
    ],
)
def test_tables_that_are_no_game_are_refused(changes, line):
    arrays = {"transition": SHARES, "reward": np.ones((2, 2)), "gamma": 0.5} | changes
    with pytest.raises(RequestError, match=line):
        MarkovGame.from_arrays("it", **arrays)


def test_rewards_that_can_be_read_two_ways_are_refused():
    table = np.full((2, 2, 2, 2), 0.5)
    with pytest.raises(RequestError, match="can be of both players or of each next state"):
        MarkovGame.from_arrays("it", table, np.ones((2, 2, 2, 2)), gamma=0.5)
    payoffs = np.stack([np.ones((2, 2, 2, 2)), np.zeros((2, 2, 2, 2))])
    game = MarkovGame.from_arrays("it", table, payoffs, gamma=0.5)
    assert game.reward[0].tolist() == np.ones((2, 2, 2)).tolist()
    assert game.reward[1].max() == 0
    assert not game.zero_sum


def test_rewards_of_next_states_are_averaged_and_their_size_is_kept():
    game = MarkovGame.from_arrays("it", SHARES, np.array([3.0, -5.0]) * np.ones((2, 2, 2)), gamma=0.5)
    assert game.reward[0, :, :, 0] == pytest.approx(-1.0)
    assert game.max_reward == 5.0
