"""`sparring.attack`: what it takes, what it refuses and in which words."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import sparring
from sparring.access import OpponentAccess
from sparring.errors import RefusedError, RequestError
from sparring.markov.policy import MarkovPolicy
from sparring.matrix.policy import MatrixPolicy
from sparring.policy import Mixture
from sparring_plugins.threats.partial_control import PartialControl

RPS = "matrix:rock-paper-scissors"
TOY = "markov:sa-toy"
ZERO_SUM = "markov:random-zero-sum(seed=1)"


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"game": "matrix:rock-paper-scisors"}, "did you mean 'rock-paper-scissors'?"),
        ({"game": "matrx:rock-paper-scissors"}, "did you mean 'matrix'?"),
        ({"game": "rock-paper-scissors"}, "did you mean 'matrix:rock-paper-scissors'?"),
        ({"threat": "partial-contol"}, "unknown threat-model 'partial-contol': did you mean 'partial-control'?"),
        ({"threat": "partial-control(coins=episode)"}, "no option 'coins'; did you mean 'coin'?"),
        ({"threat": "partial-control(coin=weekly)"}, "option coin = 'weekly'"),
        ({"threat": 7}, "7 is no threat model"),
        ({"threat": []}, "none is named"),
        ({"benign": "unifrom"}, "unknown policy-loader 'unifrom': did you mean 'uniform'?"),
        ({"benign": "uniform:x"}, "takes nothing after a colon"),
        ({"benign": "file"}, "expected file:PATH"),
        ({"benign": None}, "benign: required by partial-control at a budget below 1"),
        ({"benign": [0.5, 0.6, 0.2]}, "does not sum to one"),
        ({"benign": [0.5, 0.5]}, "expected [3]"),
        ({"benign": MatrixPolicy(np.array([0.5, 0.5]))}, "3"),
        ({"benign": MarkovPolicy(np.full((1, 3), 1 / 3))}, "matrix"),
        ({"benign": MatrixPolicy(np.full(3, 1 / 3), 0)}, "seat 0"),
        ({"budget": 1.5}, "a mixing-probability is a number from 0 to 1"),
        ({"budget": -0.1}, "from 0 to 1"),
        ({"budget": float("nan")}, "budget nan"),
        ({"budget": True}, "budget True"),
        ({"budget": "0.5"}, "budget '0.5'"),
        ({"budget": [0.5, 0.5]}, "1 threats with 2 budgets"),
        ({"budget": []}, "1 threats with 0 budgets"),
        ({"threat": ["partial-control", "action"]}, "2 threats with 1 budgets"),
        ({"victim_player": 2}, "has seats 0, 1"),
        ({"victim_player": -1}, "has seats 0, 1"),
        ({"threat": "observation", "budget": 1, "benign": None}, "needs a markov, simulated game, this one is matrix"),
        ({"threat": "action"}, "benign: refused by action"),
        ({"game": TOY, "threat": "observation", "budget": 1}, "benign: refused by observation"),
        ({"game": TOY, "threat": "observation", "budget": 0.5, "benign": None}, "a graph-radius is a whole number"),
        ({"game": TOY}, "needs another agent, the game has one"),
        ({"game": TOY, "threat": "action", "benign": None, "victim_player": 1}, "has one agent, leave it out"),
        ({"game": ZERO_SUM, "threat": "observation", "budget": 1, "benign": None}, "look alike"),
        ({"game": ZERO_SUM, "benign": MarkovPolicy(np.full((2, 3), 1 / 3))}, "[5, 3]"),
    ],
)
def test_a_wrong_request_is_refused_in_one_line(request_, words):
    given = {"game": RPS, "threat": "partial-control", "budget": 0.5, "benign": "uniform"} | request_
    with pytest.raises(RequestError) as caught:
        sparring.attack(**given)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("budget", [1, 1.0, np.float64(1), np.float32(1), np.int64(1), [1.0], (1,), np.array([1.0])])
def test_a_budget_may_be_any_number(budget):
    duel = sparring.attack(RPS, "partial-control", budget)
    assert duel.charged[0].budget.value == 1.0
    assert type(duel.charged[0].budget.value) is float


def test_at_a_budget_of_one_no_benign_policy_is_needed():
    duel = sparring.attack(RPS, "partial-control", 1.0)
    assert not duel.has_nominal
    assert duel.charged[0].benign is None
    assert sparring.attack(RPS, "partial-control", 1.0, benign="uniform").has_nominal


@pytest.mark.parametrize("seat", [0, 1])
def test_the_benign_policy_sits_in_the_other_seat(seat):
    duel = sparring.attack(ZERO_SUM, "partial-control", 0.5, victim_player=seat, benign="uniform")
    access = duel.charged[0].access
    assert isinstance(access, OpponentAccess)
    assert access.benign.player == 1 - seat
    assert duel.victim_player == seat
    assert duel.charged[0].benign == "uniform"


def test_a_benign_policy_may_be_data_or_an_object():
    by_spec = sparring.attack(RPS, "partial-control", 0.3, benign="uniform")
    by_data = sparring.attack(RPS, "partial-control", 0.3, benign=[1 / 3] * 3)
    by_object = sparring.attack(RPS, "partial-control", 0.3, benign=MatrixPolicy(np.full(3, 1 / 3)))
    assert by_data.payoff == pytest.approx(by_spec.payoff, abs=1e-15)
    assert by_object.payoff == pytest.approx(by_spec.payoff, abs=1e-15)
    assert by_data.charged[0].benign == "python:list"


def test_the_payoff_is_mixed_with_what_the_benign_policy_gives():
    game = sparring.load_game(RPS)
    benign, eps = np.array([0.2, 0.3, 0.5]), 0.4
    for seat in (0, 1):
        duel = sparring.attack(game, "partial-control", eps, victim_player=seat, benign=benign)
        own = game.for_seat(seat)
        assert duel.payoff == pytest.approx((1 - eps) * (own @ benign)[:, None] + eps * own, abs=1e-15)


def test_threats_compose_and_keep_their_own_budgets():
    game = sparring.load_game(ZERO_SUM)
    threats = [PartialControl(coin="episode"), "action"]
    duel = sparring.attack(game, threats, [0.2, 0.3], benign="uniform")
    assert [(part.threat, part.budget.value, part.benign) for part in duel.charged] == [
        ("partial-control", 0.2, "uniform"),
        ("action", 0.3, None),
    ]
    assert duel.charged[0].options["coin"] == "episode"
    victim = game.uniform_policy(0)
    found = {
        (first, second): sparring.attack(game, ["partial-control", "action"], [first, second], benign="uniform")
        .exploitability(victim)
        .lower
        for first in (0.0, 0.4)
        for second in (0.0, 0.3)
    }
    alone = sparring.attack(game, "partial-control", 0.4, benign="uniform").exploitability(victim).lower
    assert found[0.4, 0.0] == pytest.approx(alone, abs=1e-9)
    assert found[0.0, 0.0] < min(found[0.4, 0.0], found[0.0, 0.3])
    assert max(found[0.4, 0.0], found[0.0, 0.3]) < found[0.4, 0.3]


def test_one_channel_is_touched_by_one_threat():
    with pytest.raises(RefusedError, match="touch the same channel"):
        sparring.attack(RPS, ["partial-control", "partial-control"], [0.5, 0.5], benign="uniform")
    with pytest.raises(RefusedError, match="nothing says what the other one does"):
        sparring.attack(RPS, "action", 0.5)


@pytest.mark.parametrize(
    ("game", "threat", "budgets", "benign"),
    [
        (RPS, "partial-control", [0, 0.25, 0.5, 0.75, 1], "uniform"),
        (ZERO_SUM, "partial-control", [0, 0.1, 0.6, 1], "uniform"),
        (ZERO_SUM, "partial-control(coin=episode)", [0, 0.1, 0.6, 1], "uniform"),
        ("markov:grid-traps", "observation", [0, 1, 2, 3], None),
        ("markov:grid-traps", "action", [0, 0.1, 0.6, 1], None),
    ],
)
def test_more_budget_never_helps_the_victim_and_none_changes_nothing(game, threat, budgets, benign):
    loaded = sparring.load_game(game)
    duels = [sparring.attack(loaded, threat, budget, benign=benign) for budget in budgets]
    rng = np.random.default_rng(0)
    for victim in [loaded.uniform_policy(duels[0].victim_player), duels[0].draw(sparring.Side.VICTIM, rng)]:
        found = [duel.exploitability(victim).lower for duel in duels]
        assert found[0] == pytest.approx(-float(duels[0].value(victim)), abs=1e-9)
        assert all(later >= earlier - 1e-9 for earlier, later in itertools.pairwise(found))
    assert found[-1] > found[0] + 1e-6  # of the drawn victim: a uniform one shows every state the same actions


def test_a_mixture_is_no_benign_policy():
    parts = (MatrixPolicy(np.eye(3)[0]), MatrixPolicy(np.eye(3)[1]))
    with pytest.raises(RequestError, match="a mixture drawn once an episode"):
        sparring.attack(RPS, "partial-control", 0.3, benign=Mixture(parts, (0.5, 0.5)))
