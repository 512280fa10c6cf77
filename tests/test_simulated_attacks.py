"""Attacks on simulated games: the budget holds, nothing moves without it, and no episode knows of another."""

from __future__ import annotations

import itertools
import json
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sparring
from sparring import attack, evaluate
from sparring.access import ActionAccess, Ball, ChargedAccess, DynamicsAccess
from sparring.attack_game import Effort, Side
from sparring.budgets import FORCE_BOUND, LP_RADIUS, MIXING_PROBABILITY
from sparring.errors import RefusedError, RequestError
from sparring.oracle import Finding
from sparring.policy import Ability, Mixture
from sparring.registry import default_registry
from sparring.simulated import play
from sparring.simulated.attackers import RandomAttacker
from sparring.simulated.charging import bounded_change, moved
from sparring.simulated.learner import learners
from tiny_world import DEVIATION, LONGEST, MEAN, Constant, Ratchet, TinyGame, Tracker

torch = pytest.importorskip("torch")

RAW = "observation(space=raw)"
BEHIND = "observation"
REPLACE, MIX = "action", "action(mode=mix)"
DOWN = Constant([1.0, 1.0])
"""Showing the victim more than there is makes it push down, which costs it."""
UP = Constant([-1.0, -1.0])


def duel_of(threat=RAW, budget=0.3, batch=4):
    return attack(TinyGame(), threat, budget).in_batches(batch)


def returns(duel, victim, attacker, count=11):
    return duel.play(victim, attacker, range(count)).returns


def gradient(name, **options):
    oracle = default_registry().create("oracle", name).configured(options)
    return oracle.attacker(duel_of(), Tracker())


# ---- the budget ------------------------------------------------------------------------------------------------------


@st.composite
def charges(draw):
    batch, width = draw(st.integers(1, 3)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from([np.float32, np.float64]))
    start = (rng.normal(size=(batch, width)) * 10.0 ** rng.integers(-12, 7, size=(batch, width))).astype(kind)
    proposal = rng.normal(size=(batch, width)) * 10.0 ** rng.integers(-3, 5)
    proposal = np.sign(proposal) if draw(st.booleans()) else proposal
    scale = rng.uniform(0, 3, size=width) if draw(st.booleans()) else None
    norm = draw(st.sampled_from(["inf", "2", "1"]))
    low, high = (-np.ones(width), np.full(width, 0.5)) if draw(st.booleans()) else (None, None)
    radius = draw(st.sampled_from([0.0, 1e-30, 1e-9, 0.075, 1 / 3, 7.0, 1e6]))
    return start, proposal, Ball(norm, scale, low, high), radius


def exact_size(change, ball):
    """The size of a change to the power of its norm, without rounding; the power, and unequal scales, stand beside."""
    scale = [Fraction(1)] * len(change) if ball.scale is None else [Fraction(float(s)) for s in ball.scale]
    parts = [
        abs(c) / s if s else (Fraction(0) if c == 0 else Fraction(10) ** 40) for c, s in zip(change, scale, strict=True)
    ]
    if ball.norm == "inf":
        return max(parts), 1
    return (sum(parts), 1) if ball.norm == "1" else (sum(part * part for part in parts), 2)


@given(charges())
@settings(max_examples=400)
def test_no_proposal_and_no_rounding_leaves_the_budget(charge):
    start, proposal, ball, radius = charge
    shown = moved(start, bounded_change(proposal, ball, radius, "test"), ball.low, ball.high)
    assert shown.dtype == start.dtype
    for before, after in zip(start, shown, strict=True):
        change = [Fraction(float(a)) - Fraction(float(b)) for a, b in zip(after, before, strict=True)]
        if ball.norm == "inf":  # in each feature the limit is the product of the two numbers, rounded once
            limits = radius * (np.ones(len(change)) if ball.scale is None else ball.scale)
            assert all(abs(c) <= Fraction(float(limit)) for c, limit in zip(change, limits, strict=True))
        else:
            size, power = exact_size(change, ball)
            assert size <= Fraction(radius) ** power
        for place, c in enumerate(change):
            inside = ball.low is None or ball.low[place] <= before[place] <= ball.high[place]
            if c == 0:
                assert after[place].tobytes() == before[place].tobytes()
            elif inside and ball.low is not None:
                assert ball.low[place] <= after[place] <= ball.high[place]


def test_the_whole_budget_can_be_spent():
    rng = np.random.default_rng(0)
    start = rng.normal(size=(50, 4))
    for norm, order in (("inf", np.inf), ("2", 2), ("1", 1)):
        shown = moved(start, bounded_change(100 * rng.normal(size=(50, 4)), Ball(norm), 0.5, "test"))
        assert np.linalg.norm(shown - start, ord=order, axis=1) == pytest.approx(0.5, rel=1e-12)


@pytest.mark.parametrize("norm", ["inf", "2", "1"])
@pytest.mark.parametrize("greed", [1.0, 1e9])
def test_a_victim_is_shown_no_more_than_the_budget(norm, greed):
    for eps in (0.1, 0.4):
        duel, victim = duel_of(f"observation(space=raw,norm={norm})", eps), Tracker(normalises=False)
        attacker = Constant([greed, -greed])
        duel.play(victim, attacker, range(4))
        change = np.concatenate(victim.shown) - np.concatenate(attacker.seen)
        order = np.inf if norm == "inf" else int(norm)
        assert np.linalg.norm(change, ord=order, axis=1) == pytest.approx(eps, rel=1e-9)
        assert (change[:, 0] > 0).all()
        assert (change[:, 1] < 0).all()


def test_each_threat_has_its_own_budget():
    duel = attack(TinyGame(), [RAW, MIX], [0.2, 0.25])
    victim, attacker = Tracker(normalises=False), Constant([1, 1, 1, -1])
    duel.play(victim, attacker, [5])
    assert np.concatenate(victim.shown) - np.concatenate(attacker.seen) == pytest.approx(0.2)
    sent = np.concatenate(duel._world.sent)
    assert sent == pytest.approx(0.75 * np.tanh(-np.concatenate(victim.shown)) + 0.25 * np.array([1, -1]))
    alone = attack(TinyGame(), [RAW, MIX], [0.0, 0.25])
    assert (
        alone.play(Tracker(), attacker, [5]).returns
        == attack(TinyGame(), MIX, 0.25).play(Tracker(), Constant([1, -1]), [5]).returns
    )


def test_replaced_actions_are_as_many_as_the_budget_says():
    duel = duel_of(REPLACE, 0.3, batch=200)
    duel.play(Tracker(), Constant([1.0, 1.0]), range(200))
    sent = np.concatenate(duel._world.sent)
    assert (sent == 1.0).all(axis=1).mean() == pytest.approx(0.3, abs=0.04)


def test_mixing_leaves_the_victims_own_action_unclipped():
    class Bold(Tracker):
        def act(self, observation, memory, rng):
            return np.full((len(observation), 2), 3.0), memory

    duel = duel_of(MIX, 0.25)
    duel.play(Bold(), Constant([-7.0, 1.0]), [0])
    assert np.concatenate(duel._world.sent) == pytest.approx(
        np.array([[0.75 * 3 - 0.25, 0.75 * 3 + 0.25]] * 20)[: len(np.concatenate(duel._world.sent))]
    )


@pytest.mark.parametrize(("option", "most"), [("steps=3", 3), ("share=0.0", 0)])
def test_a_number_of_steps_may_be_attacked(option, most):
    duel, victim, attacker = duel_of(f"observation(space=raw,{option})"), Tracker(normalises=False), Constant([1, 0])
    duel.in_batches(1).play(victim, attacker, [0])
    changed = (np.concatenate(victim.shown) != np.concatenate(attacker.seen)).any(axis=1) if most else np.zeros(9)
    assert changed.sum() == most
    if most:
        assert changed[:most].all()


def test_a_share_of_the_steps_may_be_attacked():
    duel, victim = duel_of("observation(space=raw,share=0.4)", batch=100), Tracker(normalises=False)
    attacker = Constant([1, 1])
    duel.play(victim, attacker, range(100))
    changed = (np.concatenate(victim.shown) != np.concatenate(attacker.seen)).any(axis=1)
    assert changed.mean() == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize("threat", [RAW, BEHIND])
def test_an_attacker_that_writes_into_what_it_is_shown_gains_nothing(threat):
    class Scribbler(Constant):
        reads_victim = True

        def propose(self, view, memory, rng):
            for array in (view.observations, view.seen, view.memory):
                np.add(array, 100.0, out=array)
            return np.tile(self.proposal, (len(view.seen), 1)), memory

    for victim in (Tracker(weight=0.5), Tracker(weight=0.5, noise=0.1)):
        scribbled = returns(duel_of(threat), victim, Scribbler([1.0, 1.0]))
        assert scribbled.tobytes() == returns(duel_of(threat), victim, Constant([1.0, 1.0])).tobytes()


@pytest.mark.parametrize("threat", [RAW, MIX])
def test_what_is_no_number_is_refused(threat):
    with pytest.raises(RequestError, match="not a number"):
        duel_of(threat).play(Tracker(), Constant([np.nan, 0.0]), [0])


def test_proposals_of_another_size_are_refused():
    with pytest.raises(RequestError, match="expected 2 numbers for each of 1 episodes"):
        duel_of().play(Tracker(), Constant([0.0, 0.0, 1.0]), [0])


# ---- without a budget ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threat", [RAW, BEHIND, REPLACE, MIX])
@pytest.mark.parametrize("victim", [Tracker(), Tracker(weight=0.4), Tracker(noise=0.3)])
def test_nothing_moves_without_a_budget(threat, victim):
    plain = play(TinyGame().world(4), victim, range(11)).returns
    for attacker in (None, DOWN, RandomAttacker("sign"), gradient("mad"), Ratchet([1.0, 1.0])):
        assert returns(duel_of(threat, 0.0), victim, attacker).tobytes() == plain.tobytes()
    assert returns(duel_of(threat, 0.3), victim, None).tobytes() == plain.tobytes()
    assert returns(duel_of(threat, 0.3), victim, DOWN).tobytes() != plain.tobytes()


def test_proposing_nothing_changes_nothing():
    for threat in (RAW, BEHIND):
        nobody = returns(duel_of(threat), Tracker(), Constant([0.0, 0.0]))
        assert nobody.tobytes() == returns(duel_of(threat), Tracker(), None).tobytes()


# ---- which way is down -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threat", [RAW, BEHIND])
def test_the_direction_of_a_change_is_that_of_the_proposal(threat):
    duel = duel_of(threat, 0.5)
    down, nominal, up = (returns(duel, Tracker(), who).mean() for who in (DOWN, None, UP))
    assert down < nominal - 0.2
    assert up > nominal + 0.2


def test_more_budget_hurts_more():
    values = [returns(duel_of(RAW, eps), Tracker(), DOWN).mean() for eps in (0.0, 0.2, 0.4, 0.8)]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1] + 0.5


@pytest.mark.parametrize("name", ["fgsm", "pgd", "mad"])
@pytest.mark.parametrize("norm", ["inf", "2", "1"])
@pytest.mark.parametrize("victim", [Tracker(gain=0.5, normalises=False), Tracker(gain=0.5, weight=0.6)])
def test_gradients_lead_away_from_the_nominal_action(name, norm, victim):
    """Further than a change of full size in any direction does on average; with restarts nearly as far as any."""
    attacker = gradient(name, **({"restarts": 6} if name == "pgd" else {}))
    for threat in ("observation(space=raw,norm={})", "observation(norm={})"):
        views = list(duel_of(threat.format(norm), 0.3).views(victim, range(5), 4))
        reached = np.array([departures(view, proposed(attacker, view)) for view in views])
        grid = np.array([[departures(view, np.tile(u, (5, 1))) for view in views] for u in circle(norm)])
        assert reached.mean() >= (1.0 if name == "pgd" else 0.8) * grid.mean()
        if name == "pgd":
            assert (reached >= 0.9 * grid.max(axis=0)).mean() >= 0.9


def proposed(attacker, view):
    from sparring.simulated.attackers import proposals_of
    from sparring.simulated.chance import EpisodeStreams

    return proposals_of(attacker, view, None, EpisodeStreams(range(len(view.seen)), "test"))[0]


def departures(view, proposals):
    channel = view.channels[0]
    shown = channel.apply(view.seen, proposals, np.zeros(len(proposals)), np.zeros(len(proposals), dtype=np.int64))
    nominal, moved_to = (view.victim.outputs(torch.tensor(each), view.memory).numpy() for each in (view.seen, shown))
    return ((nominal - moved_to) ** 2).sum(axis=1)


def circle(norm):
    angles = np.linspace(0, 2 * np.pi, 33)
    around = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    order = np.inf if norm == "inf" else int(norm)
    return around / np.linalg.norm(around, ord=order, axis=1, keepdims=True)


def test_the_attack_of_a_recurrent_victim_uses_the_memory_that_it_has():
    """What the attack climbs is the change of the action that the victim takes with that memory."""
    from sparring_plugins.oracles._ascent import Slope
    from sparring_plugins.oracles._objectives import goal_of

    duel, victim = duel_of(BEHIND, 0.3), Tracker(gain=0.5, weight=2.0)
    for view in list(duel.views(victim, range(3), 3))[1:]:
        assert np.abs(view.memory).max() > 0
        units = proposed(RandomAttacker("sign"), view)
        slope = Slope(goal_of(gradient("pgd"), view), view)
        nominal, led = (victim.inner().act(seen, view.memory, None)[0] for seen in (view.seen, slope.shown(units)))
        assert slope.height(units) == pytest.approx(((led - nominal) ** 2).sum(axis=1))


# ---- normalisation ---------------------------------------------------------------------------------------------------


def test_normalisation_is_done_once():
    duel, victim, attacker = duel_of(BEHIND, 0.25), Tracker(), Constant([1.0, -1.0])
    duel.in_batches(1).play(victim, attacker, [3])
    world = TinyGame().world(1)
    truth = world.reset([3])
    assert attacker.seen[0] == pytest.approx((truth - MEAN) / DEVIATION)
    assert victim.shown[0] == pytest.approx((truth - MEAN) / DEVIATION + [0.25, -0.25])
    raw, spy = duel_of(RAW, 0.25).in_batches(1), Tracker()
    raw.play(spy, Constant([1.0, -1.0]), [3])
    assert spy.shown[0] == pytest.approx((truth - MEAN) / DEVIATION + np.array([0.25, -0.25]) / DEVIATION)


def test_units_of_the_budget_are_those_of_its_space():
    """A raw change, in units of the deviation, is the normalised one."""
    scaled = f"observation(space=raw,scale={DEVIATION[0]} {DEVIATION[1]})"
    for attacker in (DOWN, RandomAttacker(), gradient("pgd")):
        raw, behind = (returns(duel_of(threat, 0.2), Tracker(gain=0.4), attacker) for threat in (scaled, BEHIND))
        assert raw == pytest.approx(behind, rel=1e-6)


def test_a_victim_without_normalisation_is_told_so():
    with pytest.raises(RequestError, match="space=raw"):
        duel_of(BEHIND).play(TinyGame().uniform_policy(None), None, [0])


# ---- episodes --------------------------------------------------------------------------------------------------------

MIXED = Mixture((Tracker(noise=0.2), Tracker(gain=-1.0, weight=0.5)), (0.4, 0.6))
ATTACKERS = Mixture((RandomAttacker("sign"), Ratchet([2.0, 1.0]), UP), (0.3, 0.5, 0.2))


@pytest.mark.parametrize("threat", [RAW, BEHIND, REPLACE, MIX, "observation(space=raw,share=0.5,steps=3)"])
@pytest.mark.parametrize("victim", [Tracker(noise=0.3), Tracker(weight=0.7), MIXED])
@pytest.mark.parametrize("attacker", [None, RandomAttacker(), Ratchet([2.0, 1.0]), ATTACKERS])
def test_an_episode_is_the_same_in_any_company(threat, victim, attacker):
    alone = np.concatenate([duel_of(threat, batch=1).play(victim, attacker, [seed]).returns for seed in range(11)])
    for batch in (2, 5, 16):
        assert returns(duel_of(threat, batch=batch), victim, attacker).tobytes() == alone.tobytes()
    backwards = duel_of(threat, batch=3).play(victim, attacker, range(10, -1, -1)).returns
    assert backwards[::-1].tobytes() == alone.tobytes()


def test_memories_that_cannot_be_renewed_begin_together():
    class Forgetful(Constant):
        def begin(self, batch):
            return np.zeros(batch)

        def act(self, observation, memory, rng):
            return memory[:, None] * np.asarray(self.proposal) / LONGEST, memory + 1

    kept, forgotten = Ratchet([1.0, 0.5]), Forgetful([1.0, 0.5])
    one, other = (duel_of().play(Tracker(), attacker, range(11)) for attacker in (kept, forgotten))
    assert one.returns.tobytes() == other.returns.tobytes()
    assert one.lengths.tolist() == other.lengths.tolist()
    assert len(set(one.lengths)) > 1, "some wait for others"


def test_gradient_attacks_do_not_depend_on_the_batch():
    for name in ("mad", "pgd"):
        values = [returns(duel_of(BEHIND, batch=batch), Tracker(weight=0.3), gradient(name)) for batch in (1, 4)]
        assert values[0] == pytest.approx(values[1], rel=1e-9)


# ---- the views -------------------------------------------------------------------------------------------------------


def test_the_attackers_view_is_the_attack_game():
    duel = duel_of(BEHIND, 0.3)
    view = duel.view(Side.ATTACKER, Tracker(weight=0.5), 3)
    total = np.zeros(3)
    seen = view.reset([0, 1, 2])
    assert seen == pytest.approx((TinyGame().world(3).reset([0, 1, 2]) - MEAN) / DEVIATION)
    finished = np.zeros(3, dtype=bool)
    while not finished.all():
        step = view.step(np.ones((3, 2)))
        total += step.rewards
        finished = step.finished
    assert total.tobytes() == (-returns(duel, Tracker(weight=0.5), DOWN, 3)).tobytes()


@pytest.mark.parametrize("attacker", [RandomAttacker(), Ratchet([2.0, 1.0]), Constant([1.0, 1.0])])
@pytest.mark.parametrize("threat", [RAW, REPLACE])
def test_the_victims_view_is_the_attack_game(attacker, threat):
    duel, victim = duel_of(threat, 0.3), Tracker()
    view = duel.view(Side.VICTIM, attacker, 2)
    total, at, coming = np.zeros(5), np.array([0, 1]), 2
    shown = view.reset([0, 1])
    while (at >= 0).any():
        step = view.step(victim.act(shown, None, None)[0])
        total[at[at >= 0]] += step.rewards[at >= 0]
        shown = step.observations
        ended = step.finished & (at >= 0)
        if ended.any():
            seeds = [coming + k for k in range(int(ended.sum()))]
            coming += len(seeds)
            at = at.copy()
            at[ended] = [seed if seed < 5 else -1 for seed in seeds]
            shown = view.restart(ended, seeds)
    assert total.tobytes() == returns(duel, victim, attacker, 5).tobytes()


@pytest.mark.parametrize("side", list(Side))
def test_a_view_goes_back_to_a_saved_state(side):
    duel = duel_of("observation(space=raw,share=0.5)", 0.3)
    other = RandomAttacker() if side is Side.VICTIM else Tracker(weight=0.5, noise=0.2)
    view, again = (duel.view(side, other, 2) for _ in range(2))
    view.reset([3, 4])
    view.step(np.full((2, 2), 0.5))
    saved = pickle.loads(pickle.dumps(view.save()))
    first = [view.step(np.full((2, 2), -0.5)).observations for _ in range(2)]
    again.reset([8, 9])
    again.load(saved)
    assert [again.step(np.full((2, 2), -0.5)).observations.tobytes() for _ in range(2)] == [x.tobytes() for x in first]


def test_a_victim_that_learns_elsewhere_cannot_be_read_or_normalised():
    with pytest.raises(RefusedError, match="which a learner of another library keeps to itself"):
        duel_of(BEHIND).view(Side.VICTIM, DOWN, 2)
    with pytest.raises(RefusedError, match="reads the victim"):
        duel_of(RAW).view(Side.VICTIM, gradient("mad"), 2)


# ---- evaluations -----------------------------------------------------------------------------------------------------


def told(report):
    document = json.loads(report.to_text())
    document.pop("provenance")
    for record in document["attacks"]:
        record.pop("seconds")
    return document


def test_the_same_seed_gives_the_same_document():
    reports = [
        evaluate(duel_of(RAW, 0.4), Tracker(), oracles=["random", "mad", "pgd(restarts=2)"], episodes=8, seed=3)
        for _ in range(2)
    ]
    assert told(reports[0]) == told(reports[1])
    report = reports[0]
    assert len(report.nominal.returns) == 8
    assert report.nominal.value == pytest.approx(np.mean(report.nominal.returns))
    for record in report.attacks:
        low, high = record.ci95
        assert low < record.value < high
        assert record.value == pytest.approx(np.mean(record.returns))
    assert report.exploitability.confidence == 0.95
    assert report.exploitability.upper is None
    other = evaluate(duel_of(RAW, 0.4), Tracker(), oracles=["random"], episodes=8, seed=4)
    assert other.nominal.returns != report.nominal.returns


def test_victims_are_compared_on_the_same_seeds():
    duel = duel_of(RAW, 0.4)
    first, second = (evaluate(duel, Tracker(gain=g), oracles=["random"], episodes=6, seed=1).nominal for g in (1, 1.01))
    assert np.corrcoef(first.returns, second.returns)[0, 1] > 0.99


def test_an_attack_weaker_than_noise_raises_a_warning():
    duel = duel_of(RAW, 0.4, batch=16)
    helping = Constant([-1.0, -1.0])

    class Helper(type(default_registry().create("oracle", "random"))):
        name = "helper"

        def attack(self, duel, victim, *, effort, rng):
            return Finding(helping)

    report = evaluate(duel, Tracker(), oracles=["random", Helper()], episodes=40)
    assert report.attacks[0].warnings == []
    assert any("weaker than noise" in text for text in report.attacks[1].warnings)


def test_exploitability_uses_the_oracles_at_hand():
    found = duel_of(RAW, 0.4).exploitability(Tracker(), seed=2)
    assert found.method in ("no attack", "random", "mad")
    assert not found.exact
    assert Ability.DIFFERENTIABLE in Tracker().abilities


def test_attack_games_pickle():
    duel = duel_of(RAW, 0.3)
    first = returns(duel, Tracker(), DOWN)
    assert returns(pickle.loads(pickle.dumps(duel)), Tracker(), DOWN).tobytes() == first.tobytes()


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("access", "budget", "words"),
    [
        (DynamicsAccess(bodies=("torso",)), FORCE_BOUND.budget(1), "offer no forces"),
        (ActionAccess(allowed=np.ones((1, 2), dtype=bool)), MIXING_PROBABILITY.budget(0.1), "has no meaning"),
        (ActionAccess(), LP_RADIUS.budget(0.1), "has no meaning"),
    ],
)
def test_what_this_form_has_not_is_refused_by_name(access, budget, words):
    with pytest.raises(RefusedError, match=words):
        TinyGame().attack_game([ChargedAccess(access, budget, "kit")], None)


def test_an_added_change_of_the_action_is_charged_by_its_size():
    duel = TinyGame().attack_game([ChargedAccess(ActionAccess(ball=Ball("2")), LP_RADIUS.budget(0.5), "kit")], None)
    victim = Tracker(normalises=False)
    duel.play(victim, Constant([3.0, 4.0]), [0])
    assert np.concatenate(duel._world.sent) - np.tanh(-np.concatenate(victim.shown)) == pytest.approx(
        np.tile([0.3, 0.4], (len(duel._world.sent), 1))
    )


@pytest.mark.parametrize(
    ("game", "threat", "words"),
    [
        ("markov:sa-toy", "observation(norm=2)", "leave out norm"),
        ("markov:sa-toy", MIX, "use mode=replace"),
        ("gym:CartPole-v1", MIX, "use mode=replace"),
        ("gym:CartPole-v1", "observation(clip=true)", "space=raw"),
        ("gym:CartPole-v1", "observation(scale=1 2 3)", "scale has 3 numbers"),
    ],
)
def test_options_that_mean_nothing_are_refused(game, threat, words):
    if game.startswith("gym"):
        pytest.importorskip("gymnasium")
    with pytest.raises(RequestError, match=words):
        attack(game, threat, 0.1 if game.startswith("gym") or threat == MIX else 1)


def test_one_episode_has_no_interval():
    with pytest.raises(RequestError, match="2 or more"):
        duel_of().measure(Tracker(), None, np.random.default_rng(0), 1)


def test_an_unknown_learner_is_refused_by_name():
    with pytest.raises(RequestError, match="learner 'nobody'"):
        duel_of().start(Side.ATTACKER, 0, "nobody")


# ---- networks --------------------------------------------------------------------------------------------------------


def network(rng, sizes, kind, **facts):
    from sparring_plugins.networks.policy import NetworkPolicy

    names = [*(f"fc{k}" for k in range(len(sizes) - 2)), "out"]
    tensors = {}
    for name, (inputs, outputs) in zip(names, itertools.pairwise(sizes), strict=True):
        tensors[f"policy.{name}.weight"] = rng.normal(size=(outputs, inputs)).astype(np.float32)
        tensors[f"policy.{name}.bias"] = np.zeros(outputs, dtype=np.float32)
    told_of = {"policy": {"kind": "mlp", "sizes": list(sizes)}, "action_distribution": {"kind": kind}, **facts}
    return NetworkPolicy(told_of, tensors)


def test_discrete_victims_under_gradients():
    pytest.importorskip("gymnasium")
    game = sparring.load_game("gym:CartPole-v1(max_episode_steps=60)")
    victim = network(np.random.default_rng(0), (4, 8, 2), "values")
    duel = attack(game, "observation(space=raw)", 0.3)
    for view in duel.views(victim, range(6), 1):
        values = victim.action_values(view.seen, None)
        for name in ("min-q", "pgd", "mad", "fgsm"):
            attacker = default_registry().create("oracle", name).attacker(duel, victim)
            shown = view.channels[0].apply(
                view.seen, proposed(attacker, view), np.zeros(6), np.zeros(6, dtype=np.int64)
            )
            assert np.abs(shown.astype(np.float64) - view.seen).max() <= 0.3
            led = victim.action_values(shown, None)
            gaps = [np.take_along_axis(v, values.argmax(1)[:, None], 1)[:, 0] * 2 - v.sum(1) for v in (values, led)]
            # A divergence grows where the nominal action becomes surer, too.
            assert (np.abs(gaps[1] - gaps[0]) > 0.1).all()
            assert name == "mad" or (gaps[1] < gaps[0]).all()
    report = evaluate(duel, victim, oracles=["min-q", "pgd"], episodes=3)
    assert report.exploitability.upper == 0.0
    assert report.exploitability.trivial_upper


def test_the_critic_leads_to_what_it_likes_least():
    victim = network(np.random.default_rng(2), (2, 4, 2), "deterministic", value={"kind": "mlp", "sizes": [2, 1]})
    likes = {"value.out.weight": np.array([[2.0, -1.0]], dtype=np.float32), "value.out.bias": np.zeros(1, np.float32)}
    judged = type(victim)(victim.description, {**victim.tensors, **likes})
    duel = duel_of(BEHIND, 0.3)
    attacker = default_registry().create("oracle", "critic").attacker(duel, judged)
    (view,) = duel.views(judged, range(3), 1)
    assert proposed(attacker, view) == pytest.approx(np.tile([-1.0, 1.0], (3, 1)))
    report = evaluate(duel, judged, oracles=["critic"], episodes=3)
    assert report.attacks[0].warnings == []


def test_another_critic_of_the_victims_file_is_asked_by_name():
    """The two like opposite actions, so that attacks lead opposite ways."""
    kinds = {name: {"kind": "mlp", "sizes": [4, 1]} for name in ("critic", "robust_sarsa")}
    victim = network(np.random.default_rng(2), (2, 4, 2), "deterministic", **kinds)
    likes = np.array([[0.0, 0.0, 2.0, -1.0]], dtype=np.float32)
    tensors = {"critic.out.weight": likes, "robust_sarsa.out.weight": -likes}
    tensors |= {f"{name}.out.bias": np.zeros(1, np.float32) for name in kinds}
    judged = type(victim)(victim.description, {**victim.tensors, **tensors})
    duel = duel_of(BEHIND, 0.3)
    (view,) = duel.views(judged, range(3), 1)
    oracle = default_registry().create("oracle", "critic")
    shown = []
    for chosen in ({}, {"network": "critic"}, {"network": "robust_sarsa"}):
        led = proposed(oracle.configured(chosen).attacker(duel, judged), view)
        shown.append(judged.act(view.seen + 0.3 * led, None, None)[0] @ [2.0, -1.0])
    assert shown[0] == pytest.approx(shown[1])
    assert (shown[1] < shown[2]).all()
    with pytest.raises(RefusedError, match="value function 'none'; it has critic, robust_sarsa"):
        oracle.configured({"network": "none"}).attacker(duel, judged)


def test_certificates_of_discrete_victims():
    pytest.importorskip("gymnasium")
    game = sparring.load_game("gym:CartPole-v1(max_episode_steps=8)")
    victim = network(np.random.default_rng(0), (4, 2), "values")
    for threat in ("observation(space=raw)", "observation"):
        report = evaluate(attack(game, threat, 1e-7), victim, oracles=["pgd"], bounds=["ibp"], episodes=2)
        (found,) = report.certificates
        assert found["least_return"] == 8.0
        assert found["facts"]["attack"]["space"] == ("raw" if "raw" in threat else "normalised")


def test_certificates_of_returns_speak_of_the_space_of_the_budget():
    """Behind the normalisation the radius is divided by nothing; before it, by a deviation of a thousandth."""
    pytest.importorskip("gymnasium")
    game = sparring.load_game("gym:CartPole-v1(max_episode_steps=8)")
    plain = network(np.random.default_rng(0), (4, 2), "values")
    small = {"obs_mean": np.zeros(4), "obs_std": np.full(4, 1e-3)}
    told = {**plain.description, "observation_normalisation": {"clip": None}}
    victim = type(plain)(told, {**plain.tensors, **small})
    rates = {}
    for threat in ("observation(space=raw)", "observation"):
        report = evaluate(attack(game, threat, 0.01), victim, oracles=["pgd"], bounds=["ibp"], episodes=2)
        rates[threat] = report.certificates[0]["facts"]["action_certification_rate"]
    assert rates["observation"] == 1.0
    assert rates["observation(space=raw)"] <= 0.5


def test_an_adversary_from_a_file(tmp_path):
    pytest.importorskip("mujoco")
    pytest.importorskip("safetensors")
    from sparring_plugins.networks.portable import write_pair

    rng = np.random.default_rng(1)
    write_pair(network(rng, (4, 6, 4), "none", role="adversary"), tmp_path / "adversary.json")
    write_pair(network(rng, (4, 1), "deterministic"), tmp_path / "victim.json")
    game = sparring.load_game("gym:InvertedPendulum-v5(max_episode_steps=40)")
    duel = attack(game, "observation", 0.2)
    spec = f"file:{tmp_path}/adversary.safetensors"
    report = evaluate(duel, f"file:{tmp_path}/victim.safetensors", oracles=[spec], episodes=3)
    assert report.attacks[0].oracle == spec
    assert {"threat-model", "policy-loader"} <= {plugin.kind for plugin in report.provenance.plugins}
    with pytest.raises(RequestError, match="no-such-file"):
        evaluate(duel, f"file:{tmp_path}/victim.safetensors", oracles=["file:no-such-file.safetensors"], episodes=3)


def test_the_critic_needs_a_value_function():
    victim = network(np.random.default_rng(2), (2, 4, 2), "deterministic")
    with pytest.raises(RefusedError, match="oracle critic: needs a victim with critic"):
        evaluate(duel_of(BEHIND), victim, oracles=["critic"], episodes=2)


def test_the_command_line(tmp_path, capsys):
    pytest.importorskip("mujoco")
    pytest.importorskip("safetensors")
    from sparring.cli import run
    from sparring_plugins.networks.portable import write_pair

    write_pair(network(np.random.default_rng(1), (4, 1), "deterministic"), tmp_path / "victim.json")
    words = ["evaluate", "gym:InvertedPendulum-v5(max_episode_steps=20)", "--threat", "observation", "--oracle", "mad"]
    words += ["--victim", f"file:{tmp_path}/victim.safetensors", "--episodes", "3", "--batch", "2", "--json", "-"]
    assert run([*words, "--budget", "0.1,0.2"]) == 0
    told_of = json.loads(capsys.readouterr().out)
    assert [each["budget"]["kind"] for each in told_of] == ["lp-radius"] * 2
    assert all(len(each["attacks"][0]["returns"]) == 3 for each in told_of)
    assert run([*words[:1], "matrix:rock-paper-scissors", "--victim", "uniform", "--threat", "partial-control",
                "--budget", "1", "--batch", "2"]) == 2  # fmt: skip
    assert "--batch and --workers are of simulated games" in capsys.readouterr().err


# ---- learners --------------------------------------------------------------------------------------------------------


@pytest.mark.skipif("ppo" not in learners(), reason="the learner ppo is not installed")
def test_a_learned_attacker_hurts_and_resumes(tmp_path):
    duel, victim = duel_of(BEHIND, 1.0), Tracker()
    rng = np.random.default_rng(0)
    state = duel.start(Side.ATTACKER, 0, "ppo(rollout=256,learning_rate=0.01)")
    state, reached = duel.respond(Side.ATTACKER, victim, warm=state, effort=Effort(steps=6000), rng=rng)
    seeds = range(100, 160)
    attacked, nominal = (duel.play(victim, who, seeds).returns.mean() for who in (duel.freeze(state), None))
    assert attacked < nominal - 1
    assert reached.steps >= 6000
    duel.save_state(state, tmp_path / "state.npz")
    resumed = duel.load_state(tmp_path / "state.npz")
    one, other = (duel.step(each, victim, 0.01, np.random.default_rng(1))[0] for each in (state, resumed))
    values = [duel.play(victim, duel.freeze(each), seeds).returns.tobytes() for each in (one, other)]
    assert values[0] == values[1]
    again = duel.restore(duel.freeze(one).to_document(), Side.ATTACKER)
    assert duel.play(victim, again, seeds).returns.tobytes() == values[0]


@pytest.mark.skipif("ppo" not in learners(), reason="the learner ppo is not installed")
def test_a_learned_victim_gains():
    duel = duel_of(RAW, 0.3)
    state = duel.start(Side.VICTIM, 0, "ppo(rollout=256,learning_rate=0.01)")
    before = duel.play(duel.freeze(state), DOWN, range(60)).returns.mean()
    state, _ = duel.respond(Side.VICTIM, DOWN, warm=state, effort=Effort(steps=6000), rng=np.random.default_rng(0))
    assert duel.play(duel.freeze(state), DOWN, range(60)).returns.mean() > before + 1
