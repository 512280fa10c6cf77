"""What the papers prove, on random games and on the examples that break what is misprinted."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markov_duels import (
    acted,
    controlled,
    dense,
    evaluate,
    observation,
    observed,
    partial_control,
    random_game,
    random_policy,
)
from sparring.access import ObservationAccess
from sparring.attack_game import Side
from sparring.errors import RefusedError, RequestError
from sparring.markov import evaluation
from sparring.markov.attack_game import MarkovAttackGame
from sparring.markov.distance import graph_distance
from sparring.markov.game import MarkovGame
from sparring.markov.policy import MarkovPolicy
from sparring.theory import (
    CHI_SQUARED,
    HELLINGER,
    KULLBACK_LEIBLER,
    TOTAL_VARIATION,
    Divergence,
    Inequality,
    adversary_mdp,
    greatest_divergence,
    joint_value,
    joint_visitation,
    mismatch_against,
    mismatch_coefficient,
    mixed_game,
    observation_gap,
    observation_pomdp,
    printed_constant,
    sound_constant,
    transition_discrepancy,
    value_discrepancy,
    visitation_discrepancy,
)

SEEDS = st.integers(0, 10_000)
EPS = st.sampled_from([0.0, 0.05, 0.3, 1.0])
GAMMA = st.sampled_from([0.0, 0.5, 0.9, 0.99])
SEAT = st.sampled_from([0, 1])
RUNS = settings(derandomize=True, max_examples=40, deadline=None)


def case(seed, eps, seat, gamma=0.9, sharp=False):
    """A game, a victim, a benign policy, an attacker and what is deployed, for a victim in `seat`."""
    game = random_game(seed, states=3, actions=2, others=3, gamma=gamma, general=True)
    own, other = (2, 3) if seat == 0 else (3, 2)
    victim, benign, attacker = (random_policy(seed + k, 3, size) for k, size in enumerate((own, other, other)))
    if sharp:
        benign, attacker = MarkovPolicy(np.eye(other)[[0, 0, 0]]), MarkovPolicy(np.eye(other)[[1, 1, 1]])
    deployed = MarkovPolicy((1 - eps) * benign.probabilities + eps * attacker.probabilities)
    return game, victim, benign, attacker, deployed


@RUNS
@given(SEEDS, EPS, SEAT, GAMMA, st.booleans())
def test_propositions_3_1_and_3_2(seed, eps, seat, gamma, sharp):
    game, victim, benign, _, deployed = case(seed, eps, seat, gamma, sharp)
    value = value_discrepancy(game, victim, benign, deployed, victim_player=seat)
    visits = visitation_discrepancy(game, victim, benign, deployed, victim_player=seat)
    assert value.holds()
    assert visits.holds()
    distance = np.abs(deployed.probabilities - benign.probabilities).sum(axis=1).max() / 2
    assert greatest_divergence(deployed, benign) == pytest.approx(distance, abs=1e-12)
    assert distance <= eps + 1e-12
    spread = np.ptp(game.reward[seat])
    assert value.right == pytest.approx(2 * spread * distance / (1 - gamma) ** 2)
    assert visits.right == pytest.approx(2 * gamma * distance / (1 - gamma))


def test_propositions_3_1_and_3_2_are_nearly_reached():
    """Two states that the other seat's action chooses between, one of them all reward."""
    transition = np.zeros((2, 1, 2, 2))
    transition[:, 0] = [[1, 0], [0, 1]]
    transition[1] = [0, 1]  # the bad state keeps
    reward = np.zeros((2, 1, 2))
    reward[0, 0, 0] = 1.0
    game = MarkovGame.from_arrays("trap", transition, reward, gamma=0.99, rho=np.array([1.0, 0.0]))
    alone, benign = MarkovPolicy(np.ones((2, 1))), MarkovPolicy([[1.0, 0.0], [1.0, 0.0]])
    deployed = MarkovPolicy([[0.999, 0.001], [0.999, 0.001]])
    visits = visitation_discrepancy(game, alone, benign, deployed)
    assert visits.left == pytest.approx(visits.right, rel=0.1)
    value = value_discrepancy(game, alone, benign, deployed)
    assert value.right / 2.5 < value.left <= value.right


@RUNS
@given(SEEDS, EPS, SEAT, st.booleans())
def test_proposition_3_3(seed, eps, seat, sharp):
    game, _, benign, _, deployed = case(seed, eps, seat, sharp=sharp)
    triangular = Divergence("triangular", lambda t: np.square(t - 1) / (t + 1), 1.0)
    for divergence in (TOTAL_VARIATION, KULLBACK_LEIBLER, CHI_SQUARED, HELLINGER, triangular):
        found = transition_discrepancy(game, benign, deployed, victim_player=seat, divergence=divergence)
        assert found.left.shape == (3, game.shape[1 + seat])
        assert found.holds()
        assert found.slack >= -1e-9
        if sharp and eps > 0 and divergence in (KULLBACK_LEIBLER, CHI_SQUARED):
            assert (found.right == math.inf).all()
            assert np.isfinite(found.left).all()


def test_proposition_3_3_refuses_policies_of_another_game():
    game = random_game(0, others=2)
    with pytest.raises(RequestError, match=r"policy of shape \[4, 3\] does not fit random 0, expected \[4, 2\]"):
        transition_discrepancy(game, random_policy(0, 4, 3), random_policy(0, 4, 2))


def test_divergences_are_what_they_are_called():
    p, q = np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.5, 0.25])
    assert TOTAL_VARIATION.between(p, q) == pytest.approx(0.25)
    assert KULLBACK_LEIBLER.between(p, q) == pytest.approx(0.5 * math.log(2))
    assert KULLBACK_LEIBLER.between(q, p) == math.inf
    assert CHI_SQUARED.between(p, q) == pytest.approx(0.5)
    roots = (np.sqrt(p) - np.sqrt(q)) ** 2
    assert HELLINGER.between(p, q) == pytest.approx(roots.sum())
    assert HELLINGER.between(q, p) == pytest.approx(roots.sum())
    assert TOTAL_VARIATION.between(p, p) == 0


def test_an_inequality_can_fail():
    assert Inequality(1.0, 1.0).holds()
    assert not Inequality(1.0, 0.9).holds()
    assert Inequality(1.0, 0.9).holds(tolerance=0.2)
    assert not Inequality(np.array([0.0, 2.0]), np.array([1.0])).holds()
    assert not Inequality(math.nan, 1.0).holds()
    assert Inequality(np.array([0.0, 2.0]), np.array([1.0])).slack == -1.0
    assert Inequality(math.inf, math.inf).slack == math.inf


@RUNS
@given(SEEDS, st.integers(0, 3), GAMMA, st.sampled_from([1.0, 20.0]))
def test_theorem_6_3_1(seed, radius, gamma, sharpness):
    game = random_game(seed, gamma=gamma)
    table = random_policy(seed, 4, 3).probabilities ** (1 / sharpness)
    victim = MarkovPolicy(table / table.sum(axis=1, keepdims=True))
    found = observation_gap(observed(game, radius), victim)
    assert found.holds()
    reach = graph_distance(game.neighbours) <= radius
    pairs = [(s, o) for s, o in itertools.product(range(4), repeat=2) if reach[s, o]]
    distance = max(np.abs(victim.probabilities[s] - victim.probabilities[o]).sum() / 2 for s, o in pairs)
    assert found.right == pytest.approx(2 * game.max_reward / (1 - gamma) ** 2 * distance)


def test_the_printed_constant_of_theorem_6_3_1_is_too_small():
    """Two states: the good one is left for the bad one with probability .01 when mistaken for it."""
    transition = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]])
    reward = np.array([[1.0, -1.0], [-1.0, -1.0]])
    near = np.array([[False, True], [True, False]])
    game = MarkovGame.from_arrays("two states", transition, reward, gamma=0.5, neighbours=near)
    victim = MarkovPolicy(np.array([[1.0, 0.0], [0.99, 0.01]]))
    duel = observed(game, 1)
    printed, sound = (observation_gap(duel, victim, constant) for constant in (printed_constant, sound_constant))
    assert printed.left == pytest.approx(0.0792, abs=5e-5)
    assert printed.right == pytest.approx(0.06, abs=1e-12)
    assert not printed.holds()
    assert sound.right == pytest.approx(0.08, abs=1e-12)
    assert sound.holds()


def test_theorem_6_3_1_speaks_of_observation_attacks_alone():
    with pytest.raises(RefusedError, match="one observation attack alone"):
        observation_gap(acted(random_game(0), 0.5), random_policy(0, 4, 3))


@RUNS
@given(SEEDS, EPS, SEAT, GAMMA)
def test_lemma_d_1(seed, eps, seat, gamma):
    """Values and visitations of the mixed game are those of the mixed policy (D.3, D.4)."""
    game, victim, benign, attacker, deployed = case(seed, eps, seat, gamma)
    mixed = mixed_game(game, benign, eps, seat)
    duel = partial_control(game, eps, benign, seat)
    assert mixed.shape == game.shape
    value = joint_value(mixed, victim, attacker, seat)
    assert value == pytest.approx(joint_value(game, victim, deployed, seat), abs=1e-9)
    assert value == pytest.approx(float(duel.value(victim, attacker)), abs=1e-9)
    visits = joint_visitation(mixed, victim, attacker, seat)
    assert visits == pytest.approx(joint_visitation(game, victim, deployed, seat), abs=1e-12)
    assert visits.sum() == pytest.approx(1.0)
    whole = partial_control(mixed, 1.0, None, seat)
    found, wanted = (each.exploitability(victim).lower for each in (whole, duel))
    assert found == pytest.approx(wanted, abs=1e-9)
    assert whole.optimum().exploitability == pytest.approx(duel.optimum().exploitability, abs=1e-8)


def test_a_mixed_game_needs_a_benign_policy_that_fits():
    game = random_game(0, others=2)
    with pytest.raises(RequestError, match=r"benign of shape \[4, 3\] does not fit"):
        mixed_game(game, random_policy(0, 4, 3), 0.5)
    with pytest.raises(RequestError, match=r"budget 1\.5"):
        mixed_game(game, random_policy(0, 4, 2), 1.5)
    with pytest.raises(RequestError, match="two-player"):
        mixed_game(random_game(0), random_policy(0, 4, 1), 0.5)


@RUNS
@given(SEEDS, st.sampled_from(["observation", "action", "both", "control"]), st.sampled_from([0.0, 0.5, 0.95]))
def test_lemma_6_2_7(seed, kind, gamma):
    alone, both = random_game(seed, gamma=gamma), random_game(seed, others=2, gamma=gamma)
    victim = random_policy(seed, 4, 3)
    duel = {
        "observation": lambda: observed(alone, 1),
        "action": lambda: acted(alone, 0.3, np.random.default_rng(seed).random((4, 3)) < 0.5),
        "both": lambda: MarkovAttackGame(alone, [observation(alone, 2), acted(alone, 0.3).charged[0]], None),
        "control": lambda: partial_control(both, 0.3, random_policy(seed, 4, 2)),
    }[kind]()
    mdp = adversary_mdp(duel, victim)
    assert mdp.players == 1
    optimal, value = MarkovAttackGame(mdp, [], None).respond(Side.VICTIM, MarkovPolicy(np.ones((mdp.states, 1))))
    assert float(value) == pytest.approx(duel.exploitability(victim).lower, abs=1e-8)
    attacker = duel.check_policy(MarkovPolicy(optimal.parameters), Side.ATTACKER)
    assert float(duel.value(victim, attacker)) == pytest.approx(-float(value), abs=1e-8)


@RUNS
@given(SEEDS, st.integers(0, 3), st.booleans())
def test_lemma_6_2_8(seed, radius, by_chance):
    """The value of every memoryless policy is the same in the POMDP of a fixed, randomised adversary."""
    game, rng = random_game(seed), np.random.default_rng(seed)
    duel = observed(game, radius)
    if by_chance:
        duel = MarkovAttackGame(game, [controlled(ObservationAccess(size=graph_distance(game.neighbours)), 0.4)], None)
    attacker = duel.draw(Side.ATTACKER, rng)
    pomdp = observation_pomdp(duel, attacker)
    assert pomdp.observe.sum(axis=1) == pytest.approx(1.0)
    for policy in (duel.draw(Side.VICTIM, rng), MarkovPolicy(np.eye(3)[rng.integers(0, 3, 4)])):
        assert pomdp.values(policy) == pytest.approx(duel.state_values(policy, attacker), abs=1e-9)


def visits_of(duel, victim, attacker):
    made = evaluation.chain(duel.effective, duel.game.gamma, victim.probabilities, attacker.probabilities)
    return made.visitation(duel.effective.rho)


def grid_of_responses(duel, victim, steps=20):
    """Ratios of all attackers on a grid that are best responses, by brute force (two options a state)."""
    best = -duel.exploitability(victim).lower
    shares = np.linspace(0, 1, steps + 1)
    for pick in itertools.product(shares, repeat=duel.effective.shape[0]):
        attacker = MarkovPolicy(np.column_stack([pick, 1 - np.array(pick)]))
        if float(duel.value(victim, attacker)) <= best + 1e-9:
            yield (visits_of(duel, victim, attacker) / duel.effective.rho).max()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("tie", [False, True])
def test_the_inner_minimum_is_exact(seed, tie):
    game = random_game(seed, states=2, actions=2, others=2)
    if tie:
        game = MarkovGame.from_arrays("tie", dense(game), np.ones((2, 2, 2)), gamma=0.8, rho=game.rho)
    duel, victim = partial_control(game, 1.0), random_policy(seed, 2, 2)
    found = mismatch_against(duel, Side.VICTIM, victim)
    brute = min(grid_of_responses(duel, victim))
    assert found <= brute + 1e-7
    assert found == pytest.approx(brute, rel=0.02 if tie else 1e-7)


@settings(derandomize=True, max_examples=15, deadline=None)
@given(SEEDS, EPS)
def test_the_mismatch_coefficient_is_bracketed(seed, eps):
    game = random_game(seed, states=3, actions=2, others=2)
    duel = partial_control(game, eps, random_policy(seed, 3, 2))
    rng = np.random.default_rng(seed)
    found = mismatch_coefficient(duel, rng=rng, samples=10)
    assert 1 - 1e-9 <= found.lower <= found.upper
    assert found.upper <= 1 / game.rho.min() + 1e-9
    assert mismatch_against(duel, found.witness_side, found.witness) == pytest.approx(found.lower)
    for _ in range(10):
        pair = duel.draw(Side.VICTIM, rng), duel.draw(Side.ATTACKER, rng)
        assert (visits_of(duel, *pair) / game.rho).max() <= found.upper + 1e-9
    if eps == 0:
        assert found.exact
        ratios = []
        for pick in itertools.product(range(2), repeat=3):
            mixed = np.einsum("sc,sact->sat", duel.charged[0].access.benign.probabilities, dense(game))
            visits = 0.2 * evaluate(mixed[np.arange(3), list(pick)].T, game.rho, 0.8)
            ratios.append((visits / game.rho).max())
        assert found.upper == pytest.approx(max(ratios))


def test_deterministic_victims_need_not_reach_the_maximum():
    """The attacker's third option is best only against a victim that mixes, and leads to a rare state."""
    transition = np.zeros((3, 2, 3, 3))
    transition[..., 1] = 1.0  # everything leads to the common state, ...
    transition[0, :, 2] = [0, 0, 1]  # ... but for the third option at the start
    reward = np.zeros((3, 2, 3))
    reward[0] = [[-2, 2, -1], [2, -2, -1]]
    game = MarkovGame.from_arrays("jump", transition, reward, gamma=0.5, rho=np.array([0.5, 0.49, 0.01]))
    duel = partial_control(game, 1.0)
    pure = [MarkovPolicy(np.eye(2)[list(pick)]) for pick in itertools.product(range(2), repeat=3)]
    mixed = MarkovPolicy(np.full((3, 2), 0.5))
    assert max(mismatch_against(duel, Side.VICTIM, each) for each in pure) < 2
    assert mismatch_against(duel, Side.VICTIM, mixed) > 10


def test_states_in_which_no_game_starts_make_it_infinite():
    game = random_game(3, states=3, actions=2, others=2)
    game = MarkovGame.from_arrays("corner", dense(game), game.reward[0], gamma=0.8, rho=np.array([1.0, 0.0, 0.0]))
    found = mismatch_coefficient(partial_control(game, 1.0), rng=np.random.default_rng(0), samples=5)
    assert found.lower == found.upper == math.inf
    assert found.exact


def test_the_mismatch_coefficient_needs_a_victim_that_sees():
    with pytest.raises(RefusedError, match="does not see the state"):
        mismatch_coefficient(observed(random_game(0), 1), rng=np.random.default_rng(0))
