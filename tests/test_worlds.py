"""Worlds: episodes that depend on their seeds alone, states set back exactly, and a line for what is wrong."""

from __future__ import annotations

import os
import pickle
import signal
import time

import numpy as np
import pytest

from sparring import attack, load_game
from sparring.errors import RequestError
from sparring.simulated import EpisodeStreams, Step, World, play, workers
from sparring.simulated.faults import WorldError
from sparring.simulated.single import SingleEpisode
from sparring.streams import stream
from sparring.trust import trusting

gymnasium = pytest.importorskip("gymnasium")

CART = "gym:CartPole-v1"
PENDULUM = "gym:InvertedPendulum-v5"
ANT = "gym:Ant-v4(use_contact_forces=true,masses=legacy)"
STICKY = "ale:Pong(preprocessing=crop80,frameskip=(2,5))"


def game_of(spec):
    if spec.startswith("ale:") or "ALE" in spec:
        pytest.importorskip("ale_py")
    elif spec.split(":")[1].startswith(("Ant", "Hopper", "Half", "Inverted")):
        pytest.importorskip("mujoco")
    return load_game(spec)


def actions_of(game, steps, batch, seed=0):
    """[steps, batch, *action], drawn once."""
    rng = stream(seed, "test actions")
    policy = game.uniform_policy(None)
    return [policy.act(np.zeros((batch, 1)), None, rng)[0] for _ in range(steps)]


def told(step):
    parts = (step.observations, step.rewards, step.terminated, step.truncated)
    return tuple(part.tobytes() for part in parts)


# ---- episodes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [CART, PENDULUM, "gym:Ant-v4(use_contact_forces=true,max_episode_steps=60)"])
def test_an_episode_is_the_same_in_any_batch(spec):
    game = game_of(spec)
    policy = game.uniform_policy(None)
    alone = play(game.world(1), policy, range(7))
    for size in (3, 7):
        together = play(game.world(size), policy, range(7))
        assert together.returns.tobytes() == alone.returns.tobytes()
        assert together.lengths.tolist() == alone.lengths.tolist()
    backwards = play(game.world(4), policy, range(6, -1, -1))
    assert backwards.returns[::-1].tobytes() == alone.returns.tobytes()
    assert len(set(alone.returns.tolist())) > 3


def test_a_world_is_the_environment_itself():
    game = game_of(PENDULUM)
    world = game.world(2)
    shown = world.reset([11, 12])
    plain = gymnasium.make("InvertedPendulum-v5")
    seen, _ = plain.reset(seed=12)
    assert shown[1].tobytes() == seen.tobytes()
    for actions in actions_of(game, 4, 2):
        step = world.step(actions)
        seen, reward, *_ = plain.step(actions[1])
        assert (step.observations[1].tobytes(), step.rewards[1]) == (seen.tobytes(), reward)


def test_finished_episodes_stay_finished_until_they_are_begun_anew():
    game = game_of("gym:CartPole-v1(max_episode_steps=30)")
    world = game.world(3)
    assert isinstance(world, World)
    world.reset([0, 1, 2])
    right = np.ones(3, dtype=np.int64)
    steps: list[Step] = [world.step(right) for _ in range(40)]
    assert all(step.finished.all() for step in steps[30:])
    last = next(step for step in steps if step.finished[0])
    for step in steps[steps.index(last) + 1 :]:
        assert step.rewards[0] == 0
        assert step.terminated[0]
        assert not step.truncated[0]
        assert step.observations[0].tobytes() == last.observations[0].tobytes()
    began = world.restart(np.array([True, False, False]), [0])
    assert began[0].tobytes() == game.world(1).reset([0])[0].tobytes()
    assert began[1].tobytes() == steps[-1].observations[1].tobytes()
    step = world.step(right)
    assert step.rewards.tolist() == [1, 0, 0]
    assert step.finished.tolist() == [False, True, True]


def test_the_time_limit_truncates():
    world = game_of("gym:InvertedPendulum-v5(max_episode_steps=2)").world(1)
    world.reset([3])
    assert not world.step(np.zeros((1, 1))).finished[0]
    step = world.step(np.zeros((1, 1)))
    assert step.truncated[0]
    assert not step.terminated[0]


def test_only_active_episodes_move():
    game = game_of(CART)
    world = game.world(2)
    before = world.reset([5, 6])
    step = world.step(np.zeros(2, dtype=np.int64), np.array([False, True]))
    assert step.observations[0].tobytes() == before[0].tobytes()
    assert step.observations[1].tobytes() != before[1].tobytes()
    assert step.rewards.tolist() == [0, 1]


def test_streams_of_episodes_do_not_mix():
    both, one = EpisodeStreams([3, 4], "noise"), EpisodeStreams([4], "noise")
    for _ in range(3):
        assert both.standard_normal((2, 5))[1].tobytes() == one.standard_normal((1, 5))[0].tobytes()
        assert both.random(2)[1] == one.random(1)[0]
    both.renew(np.array([True, False]), [4])
    fresh = EpisodeStreams([4], "noise")
    assert both.random(2)[0] == fresh.random(1)[0]
    assert EpisodeStreams([4], "other").random(1)[0] != EpisodeStreams([4], "noise").random(1)[0]
    with pytest.raises(ValueError, match="2 episodes draw"):
        both.random(3)


# ---- saving and setting back -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [CART, PENDULUM, ANT, STICKY, "ale:Pong", "ale:Breakout(preprocessing=raw)"])
def test_a_state_set_back_goes_on_the_same_bit_for_bit(spec):
    game = game_of(spec)
    if spec == "ale:Pong":
        pytest.importorskip("cv2")
    world = game.world(3)
    world.reset([1, 2, 3])
    actions = actions_of(game, 24, 3)
    if spec == PENDULUM:  # gently, or it falls
        actions = [0.05 * each for each in actions]
    for each in actions[:10]:
        world.step(each)
    saved = world.save()
    shown = world.observations.copy()
    first = [told(world.step(each)) for each in actions[10:]]
    assert len(set(first)) > 1
    for other in (world, game.world(3)):
        other.load(pickle.loads(pickle.dumps(saved)))
        assert other.observations.tobytes() == shown.tobytes()
        assert [told(other.step(each)) for each in actions[10:]] == first
    world.load(saved)  # and once more from the very same copy, which nothing has touched
    assert [told(world.step(each)) for each in actions[10:]] == first


def test_a_state_holds_the_time_limit_and_who_has_finished():
    world = game_of("gym:CartPole-v1(max_episode_steps=3)").world(1)
    world.reset([0])
    left = np.zeros(1, dtype=np.int64)
    world.step(left)
    saved = world.save()
    assert [bool(world.step(left).truncated[0]) for _ in range(3)] == [False, True, True]
    done = world.save()
    world.load(saved)
    assert [bool(world.step(left).truncated[0]) for _ in range(2)] == [False, True]
    world.load(done)
    assert world.step(left).rewards[0] == 0


def test_the_emulators_own_held_actions_cannot_be_saved():
    world = game_of("gym:ALE/Pong-v5(repeat_action_probability=0)").world(1)
    world.reset([0])
    world.save()
    pytest.importorskip("ale_py")
    world = load_game("gym:Pong-v0").world(1)
    world.reset([0])
    with pytest.raises(WorldError, match=r"leaves out the one it holds: name the game as ale:NAME"):
        world.save()


def test_one_episode_as_a_simulator():
    one = SingleEpisode(game_of(CART).world(1))
    first = one.reset(3)
    began, mark = one.save(), one.fingerprint()
    seen = [one.step(action) for action in (0, 1, 1)]
    assert [step[1:] for step in seen] == [(1.0, False)] * 3
    assert one.fingerprint() != mark
    one.load(began)
    assert one.fingerprint() == mark
    assert [one.step(action)[0].tobytes() for action in (0, 1, 1)] == [step[0].tobytes() for step in seen]
    assert first.shape == (4,)


# ---- workers ---------------------------------------------------------------------------------------------------------


def test_workers_give_what_one_process_gives():
    game = game_of(CART)
    inside, shared = game.world(5), game.world(5, workers=2)
    assert isinstance(shared, World)
    try:
        assert shared.reset(range(5)).tobytes() == inside.reset(range(5)).tobytes()
        actions = actions_of(game, 30, 5)
        for each in actions[:12]:
            assert told(shared.step(each)) == told(inside.step(each))
        marks = np.array([True, False, False, True, True])
        assert shared.restart(marks, [7, 8, 9]).tobytes() == inside.restart(marks, [7, 8, 9]).tobytes()
        for alone in (0, 4):  # the other worker has none to begin
            marks = np.arange(5) == alone
            assert shared.restart(marks, [6]).tobytes() == inside.restart(marks, [6]).tobytes()
        saved = shared.save()
        after = [told(shared.step(each)) for each in actions[12:]]
        assert after == [told(inside.step(each)) for each in actions[12:]]
        shared.load(saved)
        assert [told(shared.step(each)) for each in actions[12:]] == after
        assert shared.reset([4]).tobytes() == inside.reset([4]).tobytes()
        with pytest.raises(RequestError, match="action 5, expected a number from 0 to 1"):
            shared.step(np.array([5]))
    finally:
        shared.close()


def test_episodes_of_different_lengths_are_shared_by_workers():
    game = game_of(CART)
    duel, victim = attack(game, "observation(space=raw)", 0.1), game.uniform_policy(None)
    alone = duel.in_batches(4).play(victim, None, range(12))
    shared = duel.in_batches(4, workers=2)
    found = shared.play(victim, None, range(12))
    shared._world.close()
    assert len(set(alone.lengths)) > 1
    assert found.lengths.tolist() == alone.lengths.tolist()
    assert found.returns.tobytes() == alone.returns.tobytes()


@pytest.mark.parametrize("end", [EOFError, BrokenPipeError, ConnectionResetError])
def test_a_worker_whose_master_was_killed_ends_without_a_word(monkeypatch, end):
    class Line:
        def recv(self):
            raise end

    monkeypatch.setattr(workers.signal, "signal", lambda *_: None)
    workers._answer(Line(), None, 1)


def test_a_killed_worker_is_one_line_and_no_wait():
    world = game_of(CART).world(2, workers=2)
    world.reset([0, 1])
    began = time.perf_counter()
    victim = world._workers[1]._process
    os.kill(victim.pid, signal.SIGKILL)
    victim.join(5)
    with pytest.raises(WorldError, match=r"^gym:CartPole-v1: worker process \d+ was killed by SIGKILL at 'step'"):
        world.step(np.zeros(2, dtype=np.int64))
    assert time.perf_counter() - began < 10
    with pytest.raises(WorldError, match="the world is closed"):
        world.reset([0])


# ---- MuJoCo ----------------------------------------------------------------------------------------------------------


def masses(spec):
    return game_of(spec).recipe.make().unwrapped.model.body_mass


def test_legacy_masses_are_those_of_the_old_simulator():
    assert masses("gym:Hopper-v4(masses=legacy)")[1:] == pytest.approx(
        [3.534292, 3.926991, 2.714336, 5.089380], abs=1e-6
    )
    assert masses("gym:Hopper-v4")[1] > 3.6
    cheetah = masses("gym:HalfCheetah-v4(masses=legacy)")  # its scene says what all bodies weigh together
    assert cheetah.sum() == pytest.approx(14)
    assert abs(cheetah - masses("gym:HalfCheetah-v4")).max() > 0.01


def test_a_capsule_weighs_what_the_old_formula_says():
    from sparring_games.gymnasium.masses import capsule_mass

    assert capsule_mass(1000, 0.05, 0.2) == pytest.approx(1000 * np.pi * 0.0025 * 0.45)


def test_a_simulation_that_breaks_is_told_and_leaves_no_log(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    world = game_of("gym:HalfCheetah-v4").world(1)
    world.reset([4])
    inside = world._environments[0].unwrapped
    inside.data.qvel[:] = 1e12
    with pytest.raises(WorldError, match=r"episode with seed 4, step 1: .*unstable"):
        world.step(np.zeros((1, 6)))
    assert list(tmp_path.iterdir()) == []


# ---- Atari -----------------------------------------------------------------------------------------------------------


def test_resizing_is_that_of_pil():
    image = pytest.importorskip("PIL.Image")
    from sparring_games.gymnasium.resize import resized

    rng = np.random.default_rng(0)
    for rows, columns in ((160, 160), (37, 53)):
        grey = rng.integers(0, 256, (rows, columns), dtype=np.uint8)
        theirs = np.asarray(image.fromarray(grey).resize((80, 40), image.Resampling.BILINEAR))
        assert np.array_equal(resized(grey, 40, 80), theirs)


def test_the_cropped_frame_is_the_field_in_grey():
    from sparring_games.gymnasium.atari import cropped_frame

    screen = np.zeros((210, 160, 3), dtype=np.uint8)
    screen[:35] = 255  # the score, which is cut away
    screen[35:115] = (30, 60, 90)
    frame = cropped_frame(screen)
    assert (frame.shape, frame.dtype) == ((1, 80, 80), np.float32)
    assert (frame[0, :38] == 1).all()
    assert (frame[0, 42:] == 0).all()
    assert not cropped_frame(np.zeros_like(screen)).any()


def test_standard_preprocessing_is_gymnasiums():
    pytest.importorskip("cv2")
    game = game_of("ale:Pong(repeat_action_probability=0,noop_max=0)")
    world = game.world(1)
    plain = gymnasium.make("ALE/Pong-v5", frameskip=1, repeat_action_probability=0.0)
    plain = gymnasium.wrappers.FrameStackObservation(gymnasium.wrappers.AtariPreprocessing(plain, noop_max=0), 4)
    assert world.reset([9])[0].tobytes() == np.asarray(plain.reset(seed=9)[0]).tobytes()
    for actions in actions_of(game, 12, 1):
        seen, reward, *_ = plain.step(int(actions[0]))
        step = world.step(actions)
        assert (step.observations[0].tobytes(), step.rewards[0]) == (np.asarray(seen).tobytes(), reward)


class Echo(gymnasium.Env):
    """Shows the action of each frame; ends after `length` frames."""

    observation_space = gymnasium.spaces.Box(-1, 9, (1,))
    action_space = gymnasium.spaces.Discrete(9)

    def __init__(self, length=10**9):
        self.frames, self.length = [], length

    def reset(self, *, seed=None, options=None):
        self.frames = []
        return np.zeros(1), {}

    def step(self, action):
        self.frames.append(action)
        return np.full(1, action), 1.0, len(self.frames) >= self.length, False, {}


def test_actions_are_held_with_the_stated_probability():
    from sparring_games.gymnasium._held_actions import HeldActions

    inside = Echo()
    held = HeldActions(inside, 0.25, 1)
    held.reset(seed=0)
    for step in range(4000):
        held.step(1 + step % 8)
    fresh = np.mean([frame == 1 + step % 8 for step, frame in enumerate(inside.frames)])
    assert fresh == pytest.approx(0.75, abs=0.03)
    held.reset(seed=1)
    held.reset(seed=0)
    held.step(1)
    assert len(inside.frames) == 1
    short = HeldActions(Echo(length=2), 0.5, (2, 5))
    short.reset(seed=0)
    assert short.step(3)[1:4] == (2.0, True, False)


# ---- what a game says of itself --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "least", "limit"),
    [
        (CART, 0.0, 500),
        ("gym:CartPole-v1(sutton_barto_reward=true)", None, 500),
        ("gym:MountainCar-v0", -200.0, 200),
        ("gym:Pendulum-v1(max_episode_steps=10)", -10 * (np.pi**2 + 6.404), 10),
        ("gym:Hopper-v5", None, 1000),
        ("ale:Pong(preprocessing=raw)", -21.0, 27000),
    ],
)
def test_least_returns_and_time_limits(spec, least, limit):
    game = game_of(spec)
    assert game.time_limit == limit
    assert game.least == (None if least is None else pytest.approx(least))


def test_least_returns_are_not_undercut():
    game = game_of("gym:Pendulum-v1")
    found = play(game.world(4), game.uniform_policy(None), range(4))
    assert found.returns.min() > game.least


def test_games_pickle_and_say_their_spec():
    game = game_of("gym:Hopper-v5(healthy_z_range=(0.6,9))")
    again = pickle.loads(pickle.dumps(game))
    assert again.spec == game.spec
    assert load_game(game.spec).recipe == game.recipe
    assert dict(game.recipe.options) == {"healthy_z_range": (0.6, 9)}
    assert (game.observation.shape, game.action.shape, game.players) == ((11,), (3,), 1)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("gym:Hopper-v9", r"no environment 'Hopper-v9'; nearest: 'Hopper-v5', 'Hopper-v4'$"),
        ("gym:hopper", r"nearest: 'Hopper-v5'"),
        ("gym:Zonk", r"there is none like it"),
        ("gym:CartPole-v1(x=1)", r"there is no option 'x'; choose from: masses, max_episode_steps"),
        ("gym:Hopper-v5(reset_noise=1)", r"did you mean 'reset_noise_scale'\?"),
        ("gym:CartPole-v1(masses=legacy)", r"masses=legacy is for MuJoCo's robots"),
        ("gym:CartPole-v1(masses=old)", r"masses = 'old': Input should be 'modern' or 'legacy'"),
        ("gym:CartPole-v1(max_episode_steps=0)", r"max_episode_steps = 0: Input should be greater than or equal to 1"),
        ("gym:CartPole-v1(render_mode=human)", r"there is no option 'render_mode'; choose from: masses"),
        (
            "gym:Hopper-v5(forward_reward_weight=much)",
            r"option forward_reward_weight = 'much': Input should be a valid num",
        ),
        ("gym:Hopper-v5(healthy_z_range=(a,b))", r"is no list of numbers"),
        ("gym:Blackjack-v1", r"its observation is a Tuple; worlds take Box and Discrete"),
        ("gym:no.such.module:Env-v0", r"this runs code: the module 'no\.such\.module' is imported"),
        ("ale:pong", r"no environment 'pong'; nearest: 'Pong'"),
        ("ale:Pong(preprocessing=raw,stack=3)", r"stack belongs to preprocessing=standard"),
        ("ale:Pong(preprocessing=blue)", r"Input should be 'standard', 'crop80' or 'raw'"),
        ("ale:Pong(frameskip=3)", r"give frame_skip=N instead"),
        ("ale:Pong(game=breakout)", r"there is no option 'game'"),
    ],
)
def test_what_is_wrong_is_one_line(spec, words):
    if spec.startswith(("gym:H", "gym:h")):
        pytest.importorskip("mujoco")
    if spec.startswith("ale"):
        pytest.importorskip("ale_py")
    with pytest.raises(RequestError, match=words) as caught:
        load_game(spec)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{spec.split('(')[0]}")


@pytest.mark.parametrize(("spec", "extra"), [("ale:Pong", "atari"), (CART, "mujoco")])
def test_a_missing_package_is_a_line_with_the_extra(spec, extra, monkeypatch):
    import importlib

    real = importlib.import_module

    def without(name, package=None):
        if name == {"atari": "ale_py", "mujoco": "gymnasium"}[extra]:
            raise ImportError(f"No module named {name!r}")
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(RequestError, match=rf"pip install 'sparring\[{extra}\]'"):
        load_game(spec)


def test_requests_that_do_not_fit_are_refused():
    world = game_of(CART).world(2)
    for seeds, words in (
        ([], "0 seeds"),
        ([1, 2, 3], "3 seeds for a batch of 2"),
        ([-1], "whole number"),
        ([0.5], "whole"),
    ):
        with pytest.raises(RequestError, match=words):
            world.reset(seeds)
    world.reset([0, 1])
    with pytest.raises(RequestError, match=r"actions of shape \[3\], expected \[2\]"):
        world.step(np.zeros(3, dtype=int))
    with pytest.raises(RequestError, match="active has shape"):
        world.step(np.zeros(2, dtype=int), np.array([True]))
    with pytest.raises(RequestError, match="0 episodes"):
        game_of(CART).world(0)
    with pytest.raises(RequestError, match="-1 workers"):
        game_of(CART).world(1, workers=-1)


class Faulty(gymnasium.Env):
    """Gives NaN, or raises, at its second step."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,), np.float64)
    action_space = gymnasium.spaces.Discrete(2, start=1)

    def __init__(self, fault="reward"):
        self.fault = fault

    def reset(self, *, seed=None, options=None):
        self.steps = 0
        return np.zeros(1), {}

    def step(self, action):
        assert action in (1, 2)
        self.steps += 1
        fault = self.fault if self.steps == 2 else "none"
        if fault == "raises":
            raise ZeroDivisionError("far\ntoo far")
        nan = float("nan")
        return np.full(1, nan if fault == "observation" else 0.0), nan if fault == "reward" else 1.0, False, False, {}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("reward", "a reward is not a number"),
        ("observation", "an observation is not"),
        ("raises", "ZeroDivisionError: far too far"),
    ],
)
def test_what_a_simulator_does_wrong_is_told_with_seed_and_step(fault, words, monkeypatch):
    spec = gymnasium.envs.registration.EnvSpec("Faulty-v0", entry_point=Faulty, max_episode_steps=9)
    monkeypatch.setitem(gymnasium.registry, "Faulty-v0", spec)
    world = load_game(f"gym:Faulty-v0(fault={fault})").world(2)
    world.reset([8, 3])
    world.step(np.array([0, 1]))
    with pytest.raises(WorldError, match=rf"episode with seed 8, step 2: {words}"):
        world.step(np.array([0, 1]))


def test_modules_that_register_environments_are_imported_with_consent_only(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "world_of_mine.py").write_text(
        "import gymnasium\ngymnasium.register('Mine-v0', entry_point='gymnasium.envs.classic_control:CartPoleEnv')\n"
    )
    with pytest.raises(RequestError, match="this runs code"):
        load_game("gym:world_of_mine:Mine-v0")
    assert "Mine-v0" not in gymnasium.registry
    with trusting(["gym:world_of_mine:Mine-v0"]):
        assert load_game("gym:world_of_mine:Mine-v0").observation.shape == (4,)
    del gymnasium.registry["Mine-v0"]


def test_consent_reaches_worker_processes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "world_of_workers.py").write_text(
        "import gymnasium\ngymnasium.register('Mine-v1', entry_point='gymnasium.envs.classic_control:CartPoleEnv')\n"
    )
    with trusting(["gym:world_of_workers:Mine-v1"]):
        world = load_game("gym:world_of_workers:Mine-v1").world(1, workers=1)
    assert world.reset([0]).shape == (1, 4)
    world.close()
    del gymnasium.registry["Mine-v1"]
