"""The threat `dynamics`: pushes and parameters stay within the budget, and the world is itself again afterwards."""

from __future__ import annotations

import json
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparring import attack, evaluate, load_game
from sparring.access import Ball, ChargedAccess, DynamicsAccess
from sparring.attack_game import Side
from sparring.budgets import FORCE_BOUND, LP_RADIUS, RELATIVE_CHANGE
from sparring.errors import RefusedError, RequestError
from sparring.simulated import play
from sparring.simulated.attackers import RandomAttacker
from sparring.simulated.learner import learners
from tiny_world import Constant, TinyGame

mujoco = pytest.importorskip("mujoco")
pytest.importorskip("gymnasium")

PENDULUM, HOPPER = "gym:InvertedPendulum-v5", "gym:Hopper-v5"
WHAT = ["force", "mass", "friction", "damping"]
SIZES = {"force": 3.0}
"""Budgets of the tests, where it is not 0.4."""


class Swaying(Constant):
    """Moves by what it sees, until it falls; every number of the state shows in its returns."""

    def act(self, observation, memory, rng):
        weights = np.sin(np.arange(33.0)).reshape(11, 3)
        return np.tanh((observation[:, :, None] * weights).sum(axis=1)), memory  # the same sum in every batch


class Fickle(Constant):
    """Proposes the opposite from the second step on."""

    def begin(self, batch):
        return np.ones(batch)

    def renew(self, memory, where):
        return np.where(where, 1.0, memory)

    def act(self, observation, memory, rng):
        return memory[:, None] * np.asarray(self.proposal), -np.ones_like(memory)


VICTIM = Swaying(None)


@pytest.fixture(scope="module")
def pendulum():
    return load_game(f"{PENDULUM}(max_episode_steps=30)")


@pytest.fixture(scope="module")
def hopper():
    return load_game(f"{HOPPER}(max_episode_steps=30)")


def inside(world, place=0):
    return world._environments[place].unwrapped


def view_of(game, threat, budget, size=1, victim=None):
    return attack(game, threat, budget).view(Side.ATTACKER, victim or game.uniform_policy(None), size)


# ---- the budget ------------------------------------------------------------------------------------------------------

NUMBERS = st.one_of(st.floats(-2, 2), st.floats(allow_nan=False, allow_infinity=False), st.just(1.0))
REUSED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(
    proposal=st.lists(NUMBERS, min_size=4, max_size=4),
    radius=st.sampled_from([1e-9, 0.1, 1 / 3, 5.0, 1e4]),
    norm=st.sampled_from(["l2", "linf"]),
)
@REUSED
def test_no_proposal_pushes_harder_than_the_budget(hopper, proposal, radius, norm):
    view = view_of(hopper, f"dynamics(bodies=foot torso,norm={norm})", radius)
    view.reset([0])
    step = view.step(np.array([proposal]))
    view.close()
    pushed = view.deployed
    for number, body in enumerate(("foot", "torso")):
        force = [Fraction(float(part)) for part in pushed[f"force {body}"][0]]
        size = max(abs(part) for part in force) if norm == "linf" else sum(part * part for part in force)
        assert size <= Fraction(radius) ** (1 if norm == "linf" else 2)
        wanted = np.array(proposal[2 * number : 2 * number + 2])
        assert (np.sign(force) == np.sign(wanted) * (np.abs(np.array(force, dtype=float)) > 0)).all()
    assert not step.truncated[0]


def test_what_is_applied_is_what_was_charged(hopper):
    view = view_of(hopper, "dynamics(bodies=foot torso)", 5.0)
    view.reset([0])
    for proposal in ([9.0, 0.0, 0.0, -0.5], [3.0, 4.0, 0.1, 0.1], [0.0, 0.0, 0.0, 0.0]):
        view.step(np.array([proposal]))
        applied = inside(view._world).data.xfrc_applied
        for body in ("foot", "torso"):
            place = inside(view._world).model.body(body).id
            (x, z), row = view.deployed[f"force {body}"][0], applied[place]
            assert row.tolist() == [x, 0, z, 0, 0, 0]
        assert np.count_nonzero(applied) == np.count_nonzero(proposal)
    view.reset([0])
    view.step(np.array([[3.0, 4.0, 0.0, 0.0]]))
    assert view.deployed["force foot"][0] == pytest.approx([3.0, 4.0])
    view.close()


@given(
    proposal=st.lists(NUMBERS, min_size=4, max_size=4),
    radius=st.sampled_from([1e-12, 0.05, 1 / 3, 0.99]),
    what=st.sampled_from(["mass", "friction", "damping"]),
    masses=st.sampled_from(["", "masses=legacy,"]),
)
@REUSED
def test_no_proposal_bends_a_parameter_further_than_the_budget(proposal, radius, what, masses):
    game = load_game(f"{HOPPER}({masses}max_episode_steps=30)")
    knobs = [knob for knob in game.knobs if knob.kind == what]
    view = view_of(game, f"dynamics(what={what})", radius)
    view.reset([0])
    nominal = inside(view._world).model
    view.step(np.array([proposal[: len(knobs)] + [0.0] * (len(knobs) - len(proposal))]))
    bent = inside(view._world).model
    field = {"mass": "body_mass", "friction": "geom_friction", "damping": "dof_damping"}[what]
    for before, after in zip(getattr(nominal, field).ravel(), getattr(bent, field).ravel(), strict=True):
        change = Fraction(float(after)) - Fraction(float(before))
        assert abs(change) <= Fraction(radius) * Fraction(float(before))
        assert after > 0 or before == 0
    for number, knob in enumerate(knobs[: len(proposal)]):
        assert view.deployed[knob.name] == pytest.approx(radius * np.clip(proposal[number], -1, 1), rel=1e-9)
    view.close()


@pytest.mark.parametrize("masses", ["modern", "legacy"])
def test_a_heavier_body_is_as_if_it_had_been_built_so(masses):
    """All that MuJoCo derives from masses is what it is of a model compiled with those masses."""
    game = load_game(f"{HOPPER}(masses={masses})")
    view = view_of(game, "dynamics(what=mass,bodies=torso)", 0.5)
    view.reset([0])
    nominal = inside(view._world).model
    view.step(np.array([[1.0]]))
    bent, torso = inside(view._world).model, nominal.body("torso").id
    assert bent.body_mass[torso] == pytest.approx(1.5 * nominal.body_mass[torso])
    assert bent.body_inertia[torso] == pytest.approx(1.5 * nominal.body_inertia[torso])
    others = np.arange(nominal.nbody) != torso
    assert (bent.body_mass[others] == nominal.body_mass[others]).all()
    assert bent.body_subtreemass[0] == pytest.approx(bent.body_mass.sum())
    assert (bent.dof_M0[:2] == pytest.approx(bent.body_mass.sum())) or masses == "legacy"
    assert bent.body_invweight0[torso, 0] < nominal.body_invweight0[torso, 0]
    view.close()


def test_changing_nothing_derives_nothing_new():
    """What is written anew after a change is what compiling gives, bit for bit."""
    from sparring_games.gymnasium.dynamics import Dynamics

    environment = load_game(HOPPER).recipe.make()
    model = environment.unwrapped.model
    again = Dynamics(environment)._bent({})
    assert again is not model
    for field in ("body_mass", "body_inertia", "body_subtreemass", "body_invweight0", "dof_M0", "dof_invweight0"):
        assert getattr(again, field).tobytes() == getattr(model, field).tobytes()


# ---- which way -------------------------------------------------------------------------------------------------------


def test_a_push_moves_a_body_its_way(pendulum):
    leans = {}
    for way in (-1.0, 0.0, 1.0):
        view = view_of(pendulum, "dynamics(bodies=cart)", 5.0, victim=Constant([0.0]))
        view.reset([1])
        leans[way] = view.step(np.array([[way]])).observations[0, 0]
        view.close()
    assert leans[-1.0] < leans[0.0] < leans[1.0]


def test_pushes_act_only_where_they_can_move_anything(pendulum, hopper):
    axes = {knob.target: knob.parts for knob in (*pendulum.knobs, *hopper.knobs) if knob.kind == "force"}
    assert axes["cart"] == ("x",)
    assert axes["pole"] == axes["foot"] == axes["torso"] == ("x", "z")


@pytest.mark.parametrize(
    ("game", "bodies"),
    [
        ("InvertedPendulum-v5", ["pole"]), ("HalfCheetah-v5", ["torso", "bfoot", "ffoot"]), ("Hopper-v5", ["foot"]),
        ("Walker2d-v5", ["foot", "foot_left"]), ("Swimmer-v5", ["torso"]), ("Ant-v5", ["torso"]),
        ("Humanoid-v5", ["torso"]), ("InvertedDoublePendulum-v5", ["pole2"]), ("Reacher-v5", ["body0"]),
    ],
)  # fmt: skip
def test_without_names_bodies_are_those_of_rarl(game, bodies):
    duel = attack(load_game(f"gym:{game}"), "dynamics", 1.0)
    assert [knob.target for knob in duel.channels[0].knobs] == bodies


def test_stronger_pushes_change_more(hopper):
    """How far the robot is pushed from where it would be."""
    plain = attack(hopper, "dynamics", 1.0).play(VICTIM, None, range(6)).returns
    moved = [
        np.abs(attack(hopper, "dynamics", eps).play(VICTIM, RandomAttacker("sign"), range(6)).returns - plain).mean()
        for eps in (0.1, 1.0, 10.0)
    ]
    assert 0 < moved[0] < moved[1] < moved[2]


# ---- without a budget, and afterwards --------------------------------------------------------------------------------


@pytest.mark.parametrize("what", WHAT)
def test_nothing_moves_without_a_budget(hopper, what):
    plain = play(hopper.world(3), VICTIM, range(7)).returns
    width = attack(hopper, f"dynamics(what={what})", 0.1).channels[0].width
    for attacker in (None, Constant(np.ones(width)), RandomAttacker("sign")):
        duel = attack(hopper, f"dynamics(what={what})", 0.0).in_batches(3)
        assert duel.play(VICTIM, attacker, range(7)).returns.tobytes() == plain.tobytes()
    duel = attack(hopper, f"dynamics(what={what})", SIZES.get(what, 0.4)).in_batches(3)
    assert duel.play(VICTIM, Constant(np.zeros(width)), range(7)).returns.tobytes() == plain.tobytes()


@pytest.mark.parametrize("what", WHAT)
def test_the_world_is_itself_again_after_an_episode(hopper, what):
    duel = attack(hopper, f"dynamics(what={what})", SIZES.get(what, 0.4)).in_batches(2)
    before = duel.play(VICTIM, None, range(5))
    nominal = inside(duel._world).model
    attacked = duel.play(VICTIM, RandomAttacker("sign"), range(5))
    for place in range(2):
        assert not inside(duel._world, place).data.xfrc_applied.any()
    assert inside(duel._world).model is nominal
    assert duel.play(VICTIM, None, range(5)).returns.tobytes() == before.returns.tobytes()
    again = duel.play(VICTIM, RandomAttacker("sign"), range(5))
    assert again.returns.tobytes() == attacked.returns.tobytes()


def test_parameters_are_chosen_once_an_episode(hopper):
    duel, width = attack(hopper, "dynamics(what=mass)", 0.4).in_batches(2), 4
    steady, fickle = (duel.play(VICTIM, kind(np.ones(width)), range(5)).returns for kind in (Constant, Fickle))
    assert steady.tobytes() == fickle.tobytes()
    pushed, width = attack(hopper, "dynamics", 30.0).in_batches(2), 2
    steady, fickle = (pushed.play(VICTIM, kind(np.ones(width)), range(5)).returns for kind in (Constant, Fickle))
    assert steady.tobytes() != fickle.tobytes()


@pytest.mark.parametrize("threat", ["dynamics", "dynamics(what=mass)", ["dynamics", "dynamics(what=friction)"]])
def test_an_episode_is_the_same_in_any_company(hopper, threat):
    budget = [20.0, 0.4] if isinstance(threat, list) else (20.0 if threat == "dynamics" else 0.4)
    alone, four = (
        attack(hopper, threat, budget).in_batches(batch).play(VICTIM, RandomAttacker(), range(6)).returns
        for batch in (1, 4)
    )
    assert alone.tobytes() == four.tobytes()


@pytest.mark.parametrize(("threat", "budget"), [("dynamics", 5.0), ("dynamics(what=mass)", 0.4)])
def test_a_saved_state_holds_what_is_applied(hopper, threat, budget):
    ways = np.linspace(-1, 1, 2 * attack(hopper, threat, budget).channels[0].width).reshape(2, -1)
    views = [view_of(hopper, threat, budget, 2, VICTIM) for _ in range(2)]
    first, second = views
    first.reset([3, 4])
    first.step(ways)
    saved = pickle.loads(pickle.dumps(first.save()))
    second.reset([8, 9])
    second.step(-ways)
    second.load(saved)
    for place in range(2):
        one, two = (inside(view._world, place) for view in views)
        assert one.data.xfrc_applied.tobytes() == two.data.xfrc_applied.tobytes()
        assert one.model.body_mass.tobytes() == two.model.body_mass.tobytes()
    paths = [[view.step(0.5 * ways).observations.tobytes() for _ in range(3)] for view in views]
    assert paths[0] == paths[1]
    second.reset([8, 9])
    assert not inside(second._world).data.xfrc_applied.any()
    for view in views:
        view.close()


def test_worker_processes_carry_it(hopper):
    threats, budgets = ["dynamics", "dynamics(what=mass)"], [20.0, 0.4]
    here = attack(hopper, threats, budgets).in_batches(2)
    there = here.in_batches(2, workers=1)
    plain, shared = (duel.play(VICTIM, RandomAttacker("sign"), range(4)).returns for duel in (here, there))
    assert plain.tobytes() == shared.tobytes()
    view = there.view(Side.ATTACKER, VICTIM, 2)
    view.reset([0, 1])
    view.step(np.ones((2, 6)))
    saved = view.save()
    after = [view.step(np.ones((2, 6))).observations.tobytes() for _ in range(2)]
    view.load(saved)
    assert [view.step(np.ones((2, 6))).observations.tobytes() for _ in range(2)] == after
    view.close()
    there._world.close()


# ---- several at once -------------------------------------------------------------------------------------------------

ALL = ["observation(space=raw)", "dynamics", "dynamics(what=mass)", "action(mode=mix)"]
BUDGETS = [0.05, 4.0, 0.3, 0.1]


def test_each_part_is_charged_by_itself(hopper):
    duel = attack(hopper, ALL, BUDGETS)
    assert [channel.width for channel in duel.channels] == [11, 2, 4, 3]
    view = duel.view(Side.ATTACKER, VICTIM, 1)
    truth = view.reset([2])
    view.step(np.full((1, 20), 7.0))
    made = view.deployed
    assert made["observation"] - truth == pytest.approx(0.05)
    assert np.linalg.norm(made["force foot"]) == pytest.approx(4.0)
    assert [made[f"mass {body}"][0, 0] for body in ("torso", "thigh", "leg", "foot")] == [0.3] * 4
    own = VICTIM.act(made["observation"], None, None)[0]
    assert made["action"] == pytest.approx(0.9 * own + 0.1)
    assert made["force foot"][0].tolist() == inside(view._world).data.xfrc_applied[4, [0, 2]].tolist()
    view.close()


@pytest.mark.parametrize("kept", range(3))
def test_a_part_without_budget_is_as_if_it_were_not_there(hopper, kept):
    threats, whole = ALL[:3], BUDGETS[:3]
    widths = np.cumsum([0, 11, 2, 4])
    proposal = np.linspace(1, -1, 17)
    budgets = [budget if place == kept else 0.0 for place, budget in enumerate(whole)]
    alone = attack(hopper, threats[kept], whole[kept]).play(
        VICTIM, Constant(proposal[widths[kept] : widths[kept + 1]]), range(4)
    )
    composed = attack(hopper, threats, budgets).play(VICTIM, Constant(proposal), range(4))
    assert composed.returns.tobytes() == alone.returns.tobytes()


def test_the_document_has_each_part_with_its_budget(hopper):
    report = evaluate(attack(hopper, ALL, BUDGETS), VICTIM, oracles=["random"], episodes=4)
    document = json.loads(report.to_text())
    parts = document["threat"]["parts"]
    assert [part["name"] for part in parts] == ["observation", "dynamics", "dynamics", "action"]
    assert [part["budget"]["value"] for part in parts] == BUDGETS
    assert [part["budget"]["unit"] for part in parts][1:3] == ["newton", "part of the nominal value"]
    assert document["budget"] is None
    assert len(document["attacks"][0]["returns"]) == 4


@pytest.mark.skipif("ppo" not in learners(), reason="the learner ppo is not installed")
def test_a_learner_sees_and_proposes_for_all_parts(hopper):
    pytest.importorskip("torch")
    duel = attack(hopper, ALL, BUDGETS)
    seen, chosen = duel.spaces(Side.ATTACKER)
    assert (seen.shape, chosen.shape) == ((11,), (20,))
    state = duel.start(Side.ATTACKER, 0, "ppo(rollout=64,hidden=8)")
    state, info = duel.step(state, VICTIM, 1e-3, np.random.default_rng(0))
    assert info.steps >= 64
    assert np.isfinite(duel.play(VICTIM, duel.freeze(state), range(3)).returns).all()


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("game", "threat", "words"),
    [
        (HOPPER, "dynamics(bodies=tors)", r"force of 'tors': there is none; did you mean 'torso'"),
        (HOPPER, "dynamics(what=mass,bodies=torso feet)", r"mass of 'feet': there is none; did you mean 'foot'|choose"),
        (HOPPER, "dynamics(what=damping,joints=rootx)", "damping of 'rootx': there is none"),
        (HOPPER, "dynamics(geoms=floor)", "geoms says nothing of force; give bodies"),
        ("gym:CartPole-v1", "dynamics", "offer no forces or parameters.*InvertedPendulum"),
        ("gym:Swimmer-v5", "dynamics(what=friction)", "nothing there has a friction"),
    ],
)
def test_what_is_not_there_is_refused_by_name(game, threat, words):
    with pytest.raises(RequestError, match=words) as found:
        attack(load_game(game), threat, 0.5)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("budget", [1.0, -0.1])
def test_parameters_have_a_legal_range(pendulum, budget):
    with pytest.raises(RequestError, match=r"relative-change is a number from 0 to 0\.99"):
        attack(pendulum, "dynamics(what=mass)", budget)


@pytest.mark.parametrize(
    ("access", "budget", "words"),
    [
        (DynamicsAccess(bodies=("pol",)), FORCE_BOUND.budget(1), "no 'force pol' to change; did you mean 'force pole'"),
        (DynamicsAccess(), FORCE_BOUND.budget(1), "declares no body and no parameter"),
        (DynamicsAccess(parameters=("mass pole",)), LP_RADIUS.budget(5), "mass pole is paid for by relative-change"),
        (
            DynamicsAccess(bodies=("pole",), parameters=("mass pole",)),
            FORCE_BOUND.budget(1),
            "mass pole is paid for by",
        ),
        (DynamicsAccess(bodies=("pole",), ball=Ball(scale=np.ones(2))), FORCE_BOUND.budget(1), "no scale"),
    ],
)
def test_declarations_of_threats_are_checked(pendulum, access, budget, words):
    with pytest.raises(RequestError, match=words):
        pendulum.attack_game([ChargedAccess(access, budget, "kit")], None)


def test_the_same_knob_is_turned_by_one_threat_alone(pendulum):
    with pytest.raises(RefusedError, match="touches the same thing twice"):
        attack(pendulum, ["dynamics", "dynamics(bodies=pole cart)"], [1.0, 2.0])
    duel = attack(pendulum, ["dynamics(bodies=pole)", "dynamics(bodies=cart)"], [1.0, 2.0])
    assert [channel.width for channel in duel.channels] == [2, 1]


def test_other_games_have_no_knobs():
    assert TinyGame().knobs == ()
    with pytest.raises(RefusedError, match="offer no forces or parameters"):
        TinyGame().attack_game([ChargedAccess(DynamicsAccess(), RELATIVE_CHANGE.budget(0.1), "kit")], None)
