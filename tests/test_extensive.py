"""Attack games on trees: known values, independent derivations, and what the papers prove."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sparring
from explicit_coin import worst_value as coin_value
from reference_tree import value as reference_value
from reference_tree import worst_value as reference_worst
from sparring.access import ChargedAccess, OpponentAccess
from sparring.attack_game import Side
from sparring.budgets import MIXING_PROBABILITY
from sparring.errors import RefusedError, RequestError
from sparring.extensive.attack_game import ExtensiveAttackGame
from sparring.extensive.policy import TreePolicy
from sparring.policy import Mixture

pyspiel = pytest.importorskip("pyspiel", reason="needs the openspiel extra")

GAMES = {
    "kuhn_poker": "kuhn_poker",
    "leduc_poker": "leduc_poker",
    "liars_dice(numdice=1,dice_sides=3)": "liars_dice(numdice=1,dice_sides=3)",
    "goofspiel": "turn_based_simultaneous_game(game=goofspiel(imp_info=True,num_cards=4,points_order=descending))",
    "openspiel:tiny_bridge_2p": "tiny_bridge_2p",
    "openspiel:matrix_pd": "turn_based_simultaneous_game(game=matrix_pd())",
    "openspiel:first_sealed_auction(max_value=4)": "first_sealed_auction(max_value=4)",
}
SEED = np.random.default_rng


def duel_on(name: str, eps: float, seat: int = 0, benign: object = "uniform", **options: Any) -> ExtensiveAttackGame:
    threat = options.pop("threat", "partial-control")
    duel = sparring.attack(name, threat, eps, victim_player=seat, benign=benign, **options)
    assert isinstance(duel, ExtensiveAttackGame)
    return duel


def drawn(duel: ExtensiveAttackGame, side: Side, seed: int) -> TreePolicy:
    return duel.draw(side, SEED(seed))


def random_pair(name: str, seat: int, seed: int) -> tuple[TreePolicy, TreePolicy]:
    """A random victim and a random benign policy."""
    full = duel_on(name, 1.0, seat)
    return drawn(full, Side.VICTIM, seed), drawn(full, Side.ATTACKER, seed + 1)


@pytest.mark.parametrize(("seat", "expected"), [(0, 5 / 12), (1, 1 / 2)])
def test_uniform_kuhn(seat: int, expected: float) -> None:
    duel = duel_on("kuhn_poker", 1.0, seat)
    found = duel.exploitability(duel.game.uniform_policy(seat))
    assert found.exact
    assert found.lower == found.upper == pytest.approx(expected, abs=1e-15)


def test_uniform_leduc_nash_conv() -> None:
    duels = [duel_on("leduc_poker", 1.0, seat) for seat in (0, 1)]
    total = sum(duel.exploitability(duel.game.uniform_policy(seat)).lower for seat, duel in enumerate(duels))
    assert total == pytest.approx(4.747222, abs=1e-6)


@pytest.mark.parametrize("name", GAMES)
@pytest.mark.parametrize("seat", [0, 1])
def test_agrees_with_openspiel_best_response(name: str, seat: int) -> None:
    """C++ TabularBestResponse is zero-sum only in name: it maximises the responder's own payoff.

    In a general-sum game the responder must be given the victim's payoff negated, so those are checked against the
    explicit coin at budget 1 instead.
    """
    duel = duel_on(name, 1.0, seat)
    victim = drawn(duel, Side.VICTIM, 3)
    found = -duel.exploitability(victim).lower
    engine = pyspiel.load_game(GAMES[name])
    mapping = victim.to_mapping()
    if duel.game.zero_sum:
        rows = {key: list(row.items()) for key, row in mapping.items()}
        other = drawn(duel, Side.ATTACKER, 4).to_mapping()
        rows |= {key: list(row.items()) for key, row in other.items()}
        policy = pyspiel.TabularPolicy(rows)  # it must outlive the response, which does not hold on to it
        response = pyspiel.TabularBestResponse(engine, 1 - seat, policy)
        expected = -response.value_from_state(engine.new_initial_state())
    else:
        expected = coin_value(engine, seat, mapping.__getitem__, mapping.get, 1.0)
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", GAMES)
@pytest.mark.parametrize("seat", [0, 1])
@pytest.mark.parametrize("eps", [0.0, 0.35, 0.8])
def test_agrees_with_an_explicit_coin(name: str, seat: int, eps: float) -> None:
    victim, benign = random_pair(name, seat, 11)
    duel = duel_on(name, eps, seat, benign)
    engine = pyspiel.load_game(GAMES[name])
    expected = coin_value(engine, seat, victim.to_mapping().__getitem__, benign.to_mapping().__getitem__, eps)
    assert -duel.exploitability(victim).lower == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seat", [0, 1])
@pytest.mark.parametrize("eps", [0.2, 0.7])
def test_brute_force_on_kuhn(seat: int, eps: float) -> None:
    """Every one of the 64 pure attackers, deployed by hand."""
    victim, benign = random_pair("kuhn_poker", seat, 5)
    duel = duel_on("kuhn_poker", eps, seat, benign)
    tree = duel.game.trees[1 - seat]
    values = []
    for choices in itertools.product((0, 1), repeat=len(tree.infosets)):
        pure = np.ones(tree.sequences)
        for start, choice in zip(tree.offset.astype(int), choices, strict=False):
            pure[start : start + 2] = np.eye(2)[choice]
        deployed = (1 - eps) * benign.probabilities + eps * pure
        values.append(reference_value(duel.game, seat, victim.probabilities, deployed))
    assert -duel.exploitability(victim).lower == pytest.approx(min(values), abs=1e-12)


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), eps=st.floats(0, 1), seat=st.sampled_from([0, 1]))
def test_the_attacker_attains_its_value(seed: int, eps: float, seat: int) -> None:
    """Also with control of some information sets only, against the reference."""
    name = "liars_dice(numdice=1,dice_sides=3)"
    victim, benign = random_pair(name, seat, seed)
    tree = sparring.load_game(name).trees[1 - seat]  # an extensive game
    share = SEED(seed).random(len(tree.infosets))
    access = OpponentAccess(benign, share=share)
    game = duel_on(name, 1.0, seat).game
    duel = ExtensiveAttackGame(game, [ChargedAccess(access, MIXING_PROBABILITY.budget(eps), "test")], seat)
    expected = reference_worst(game, seat, victim.probabilities, benign.probabilities, eps * share)
    attacker = duel.best_response(victim)
    assert -duel.exploitability(victim).lower == pytest.approx(expected, abs=1e-12)
    assert duel.value(victim, attacker) == pytest.approx(expected, abs=1e-12)
    assert reference_value(game, seat, victim.probabilities, duel.tree.deployed(attacker.probabilities)) == (
        pytest.approx(expected, abs=1e-12)
    )


def test_no_budget_changes_nothing() -> None:
    victim, benign = random_pair("leduc_poker", 0, 2)
    duel = duel_on("leduc_poker", 0.0, 0, benign)
    nominal = duel.value(victim)
    assert -duel.exploitability(victim).lower == pytest.approx(nominal, abs=1e-12)
    assert duel.value(victim, drawn(duel, Side.ATTACKER, 9)) == pytest.approx(nominal, abs=1e-12)


@pytest.mark.parametrize("coin", ["decision", "episode"])
def test_more_budget_never_helps_the_victim(coin: str) -> None:
    victim, benign = random_pair("leduc_poker", 1, 7)
    found = [
        duel_on("leduc_poker", eps, 1, benign, threat=f"partial-control(coin={coin})").exploitability(victim).lower
        for eps in np.linspace(0, 1, 9)
    ]
    assert all(later >= earlier - 1e-12 for earlier, later in itertools.pairwise(found))
    assert found[-1] > found[0] + 0.1


def test_the_coin_of_an_episode() -> None:
    """`(1 - eps) v(benign) + eps v(best)`, in every operation; it differs from the coin of a decision."""
    victim, benign = random_pair("leduc_poker", 0, 4)
    full = duel_on("leduc_poker", 1.0, 0, benign)
    duel = duel_on("leduc_poker", 0.3, 0, benign, threat="partial-control(coin=episode)")
    worst = -full.exploitability(victim).lower
    expected = 0.7 * full.value(victim) + 0.3 * worst
    assert -duel.exploitability(victim).lower == pytest.approx(expected, abs=1e-12)
    attacker = drawn(duel, Side.ATTACKER, 8)
    mixed = 0.7 * full.value(victim) + 0.3 * full.value(victim, attacker)
    assert duel.value(victim, attacker) == pytest.approx(mixed, abs=1e-12)
    assert duel.value(victim) == pytest.approx(full.value(victim), abs=1e-12)
    each = duel_on("leduc_poker", 0.3, 0, benign)
    assert abs(each.exploitability(victim).lower + expected) > 1e-3


@pytest.mark.parametrize("seat", [0, 1])
@pytest.mark.parametrize("coin", ["decision", "episode"])
def test_gradients_are_those_of_the_value(seat: int, coin: str) -> None:
    victim, benign = random_pair("kuhn_poker", seat, 6)
    duel = duel_on("kuhn_poker", 0.6, seat, benign, threat=f"partial-control(coin={coin})")
    attacker = drawn(duel, Side.ATTACKER, 12)
    step = 1e-6
    for side, policy, against in ((Side.VICTIM, victim, attacker), (Side.ATTACKER, attacker, victim)):
        gradient = duel.gradient(side, policy, against)
        assert gradient[0] == 0
        for place in range(1, len(gradient)):
            found = []
            for sign in (1, -1):
                moved = policy.probabilities.copy()
                moved[place] += sign * step
                found.append(_value_of(duel, side, moved, against))
            assert gradient[place] == pytest.approx((found[0] - found[1]) / (2 * step), abs=1e-8)


def _value_of(duel: ExtensiveAttackGame, side: Side, moved: np.ndarray, against: TreePolicy) -> float:
    """The bilinear value of a point off the simplex, by the reference."""
    seat, tree = duel.victim_player, duel.tree
    victim = moved if side is Side.VICTIM else against.probabilities
    proposal = against.probabilities if side is Side.VICTIM else moved
    return reference_value(tree.game, seat, victim, tree.deployed(proposal))


def test_the_victims_response_beats_every_pure_one() -> None:
    duel = duel_on("kuhn_poker", 0.5, 0)
    attacker = drawn(duel, Side.ATTACKER, 1)
    state, claimed = duel.respond(Side.VICTIM, attacker)
    assert duel.value(duel.freeze(state), attacker) == pytest.approx(claimed, abs=1e-12)
    tree = duel.game.trees[0]
    best = -np.inf
    for choices in itertools.product((0, 1), repeat=len(tree.infosets)):
        pure = np.ones(tree.sequences)
        for start, choice in zip(tree.offset.astype(int), choices, strict=False):
            pure[start : start + 2] = np.eye(2)[choice]
        best = max(best, float(duel.value(TreePolicy(pure, tree, 0), attacker)))
    assert claimed == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("coin", ["decision", "episode"])
def test_mixtures_play_like_their_average(coin: str) -> None:
    """A mixture drawn once an episode and the behaviour of its averaged plan have the same value; so do responses."""
    duel = duel_on("leduc_poker", 0.4, 0, threat=f"partial-control(coin={coin})")
    victims = [drawn(duel, Side.VICTIM, seed) for seed in (1, 2)]
    attackers = [drawn(duel, Side.ATTACKER, seed) for seed in (3, 4)]
    victim, attacker = Mixture(tuple(victims), (0.3, 0.7)), Mixture(tuple(attackers), (0.6, 0.4))
    expected = sum(
        v * a * duel.value(one, other)
        for (v, one), (a, other) in itertools.product(
            zip((0.3, 0.7), victims, strict=True), zip((0.6, 0.4), attackers, strict=True)
        )
    )
    assert duel.value(victim, attacker) == pytest.approx(expected, abs=1e-12)
    averaged = duel.mix(victims[0], victims[1], 0.7, Side.VICTIM)
    assert duel.value(averaged, attacker) == pytest.approx(expected, abs=1e-12)
    assert duel.exploitability(averaged).lower == pytest.approx(duel.exploitability(victim).lower, abs=1e-12)
    _, best = duel.respond(Side.VICTIM, attacker)
    assert all(duel.value(one, attacker) <= best + 1e-12 for one in victims)
    moved, info = duel.step(duel.start(Side.VICTIM, 0), attacker, 0.1, SEED(0))
    assert info.gradient_norm is not None
    assert duel.value(duel.freeze(moved), attacker) > duel.value(duel.freeze(duel.start(Side.VICTIM, 0)), attacker)


@pytest.mark.parametrize(("seat", "value"), [(0, -1 / 18), (1, 1 / 18)])
def test_the_optimum_of_kuhn(seat: int, value: float) -> None:
    best = duel_on("kuhn_poker", 1.0, seat).optimum()
    assert best.exploitability == pytest.approx(-value, abs=1e-9)


@pytest.mark.parametrize("coin", ["decision", "episode"])
@pytest.mark.parametrize("eps", [0.0, 0.25, 1.0])
def test_nobody_beats_the_optimum(eps: float, coin: str) -> None:
    """The optimum is attained by its policy, and no response of the victim to the attacker's side beats it."""
    duel = duel_on("leduc_poker", eps, 1, threat=f"partial-control(coin={coin})")
    best = duel.optimum()
    assert duel.exploitability(best.policy).lower == pytest.approx(best.exploitability, abs=1e-9)
    for seed in range(5):
        assert duel.exploitability(drawn(duel, Side.VICTIM, seed)).lower >= best.exploitability - 1e-9
    if eps == 0.0:
        _, value = duel.respond(Side.VICTIM, drawn(duel, Side.ATTACKER, 0))
        assert best.exploitability == pytest.approx(-value, abs=1e-8)


def test_policies_of_another_game_or_seat_are_refused() -> None:
    duel, other = duel_on("kuhn_poker", 1.0), duel_on("leduc_poker", 1.0)
    with pytest.raises(RequestError, match="another game"):
        duel.exploitability(other.game.uniform_policy(0))
    with pytest.raises(RequestError, match="seat 1"):
        duel.exploitability(duel.game.uniform_policy(1))
    with pytest.raises(RequestError, match="is missing"):
        duel.game.make_policy({"0": {0: 1.0}}, 0)
    full = duel.game.uniform_policy(0).to_mapping()
    with pytest.raises(RequestError, match="no information set 'zzz'"):
        duel.game.make_policy(full | {"zzz": {0: 1.0}}, 0)
    with pytest.raises(RequestError, match="'0' has a negative"):
        duel.game.make_policy(full | {"0": {0: 1.5, 1: -0.5}}, 0)
    with pytest.raises(RequestError, match="'0' does not sum to one"):
        duel.game.make_policy(full | {"0": {0: 0.5, 1: 0.4}}, 0)
    with pytest.raises(RequestError, match="no action 7"):
        duel.game.make_policy(full | {"0": {7: 1.0}}, 0)


def test_equilibrium_of_a_general_sum_game_is_refused() -> None:
    duel = duel_on("openspiel:matrix_pd", 1.0)
    with pytest.raises(RefusedError, match="do not add up to 0"):
        sparring.evaluate(duel, "equilibrium")


def test_openspiel_policies() -> None:
    """A C++ policy, a Python one, a mapping of both seats and a file's document give the same policy."""
    from open_spiel.python import policy as policies

    duel = duel_on("kuhn_poker", 1.0)
    engine = pyspiel.load_game("kuhn_poker")
    tabular = policies.TabularPolicy(engine)
    mine = duel.game.make_policy(tabular, 0)
    assert np.array_equal(mine.probabilities, duel.game.uniform_policy(0).probabilities)
    cpp = duel.game.make_policy(pyspiel.UniformRandomPolicy(engine), 0)
    assert np.array_equal(cpp.probabilities, mine.probabilities)
    both = mine.to_mapping() | duel.game.uniform_policy(1).to_mapping()
    assert np.array_equal(duel.game.make_policy(both, 0).probabilities, mine.probabilities)
    victim = drawn(duel, Side.VICTIM, 0)
    again = duel.restore(victim.to_document(), Side.VICTIM)
    assert isinstance(again, TreePolicy)
    assert np.array_equal(again.probabilities, victim.probabilities)


def test_direct_calls_take_what_evaluate_takes() -> None:
    duel = duel_on("kuhn_poker", 1.0)
    uniform = duel.game.uniform_policy(0)
    expected = duel.exploitability(uniform)
    assert duel.exploitability("uniform") == expected  # specs are resolved at the door
    assert duel.exploitability(uniform.to_mapping()) == expected  # and so are mappings
    attacker = duel.best_response("uniform")
    assert duel.value("uniform", attacker) == pytest.approx(-expected.lower, abs=1e-15)
    with pytest.raises(RequestError, match="no policy"):
        duel.value(uniform, "uniform")
    with pytest.raises(RequestError, match="did you mean 'uniform'"):
        duel.exploitability("unifrom")
