"""Values that are known on paper, for the three-state toy of the SA-MDP literature."""

from __future__ import annotations

import numpy as np
import pytest

import sparring
from sparring.testing.drifting import drift_push
from sparring.testing.pilots import Pilot, Pusher

TOY = "markov:sa-toy"
BEST = [[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]
BUDGETS = [0.0, 0.1, 0.3, 0.5, 1.0]


@pytest.mark.parametrize("eps", BUDGETS)
def test_the_best_policy_loses_what_it_is_shown_wrongly(eps):
    # Each step pays 1 where the victim sees the truth and 0 where it is misled, whatever the state.
    duel = sparring.attack(TOY, "noisy-channel", eps)
    found = duel.exploitability(duel.game.make_policy(BEST, None))
    assert found.exact
    assert found.lower == pytest.approx(-100 * (1 - eps), abs=1e-8)


@pytest.mark.parametrize("eps", BUDGETS)
def test_a_policy_that_does_not_look_cannot_be_misled(eps):
    duel = sparring.attack(TOY, "noisy-channel", eps)
    assert duel.exploitability(duel.game.uniform_policy(None)).lower == pytest.approx(-50, abs=1e-8)


def test_at_budget_one_it_is_the_observation_threat_of_unlimited_radius():
    noisy, shown = sparring.attack(TOY, "noisy-channel", 1), sparring.attack(TOY, "observation", 3)
    rng = np.random.default_rng(0)
    for _ in range(5):
        victim = noisy.draw(sparring.Side.VICTIM, rng)
        assert noisy.exploitability(victim).lower == pytest.approx(shown.exploitability(victim).lower, abs=1e-9)


def test_neighbours_alone_are_weaker_than_any_state():
    maze = "markov:grid-traps"
    alike = sparring.attack(maze, "noisy-channel(shows=neighbours)", 0.4)
    anything = sparring.attack(maze, "noisy-channel", 0.4)
    rng = np.random.default_rng(1)
    for _ in range(3):
        victim = alike.draw(sparring.Side.VICTIM, rng)
        assert alike.exploitability(victim).lower <= anything.exploitability(victim).lower + 1e-9
    with pytest.raises(sparring.RefusedError, match="needs a markov, simulated game"):
        sparring.attack("matrix:matching-pennies", "noisy-channel", 0.4)
    with pytest.raises(sparring.RefusedError, match="it has no neighbours; take shows=any"):
        sparring.attack("markov:random-zero-sum", "noisy-channel(shows=neighbours)", 0.4)


def test_on_a_simulated_game_it_corrupts_the_share_of_the_steps_that_the_budget_names():
    game = drift_push()
    victim, seeds = Blindfolded(), range(200)
    for eps in (0.0, 0.25, 1.0):
        victim.seen.clear()
        duel = sparring.attack(game, "noisy-channel(reach=5)", eps).in_batches(len(seeds))
        duel.play(victim, Pusher(np.ones((1, 3))), seeds)
        corrupted = np.mean(np.concatenate(victim.seen) > 2.5)  # the numbers drift around 0, with a deviation below 1
        assert corrupted == pytest.approx(eps, abs=0.05)


def test_reach_is_how_far_and_a_wider_one_hurts_more():
    game, victim = drift_push(), Pilot(2)
    returns = []
    for reach in (0.1, 1.0, 4.0):
        duel = sparring.attack(game, f"noisy-channel(reach={reach})", 0.5)
        returns.append(duel.play(victim, Pusher(np.ones((1, 3))), range(100)).returns.mean())
    assert returns[0] > returns[1] > returns[2]


class Blindfolded(Pilot):
    """Does nothing, and keeps the first number of what it is shown."""

    def __init__(self):
        super().__init__(2)
        object.__setattr__(self, "seen", [])

    def act(self, observation, memory, rng):
        self.seen.append(np.array(observation[:, 0]))
        return np.zeros((len(observation), 2)), memory


def test_the_document_names_the_plugin_that_took_part():
    report = sparring.evaluate(sparring.attack(TOY, "noisy-channel", 0.3), "uniform")
    (record,) = [item for item in report.provenance.plugins if item.name == "noisy-channel"]
    assert (record.kind, record.distribution, record.version) == ("threat-model", "sparring-noisy-channel", "0.1.0")
