"""Attack games as ordinary environments: they pass their libraries' own tests, and play the episodes of the core."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest

from sparring import Side, attack, load_game
from sparring.environments import attacker_env, parallel_env, vector_env, victim_env
from sparring.errors import RefusedError, RequestError
from sparring.policy import Mixture
from sparring.simulated.attackers import RandomAttacker
from tiny_world import Constant, Ratchet, TinyGame, Tracker

gymnasium = pytest.importorskip("gymnasium")

RAW, BEHIND = "observation(space=raw)", "observation"
DOWN = Constant([1.0, 1.0])
CART, PENDULUM = "gym:CartPole-v1(max_episode_steps=40)", "gym:InvertedPendulum-v5(max_episode_steps=40)"
BOTH = (["observation(space=raw)", "dynamics"], [0.1, 2.0])


def tiny(threat=RAW, budget=0.3):
    return attack(TinyGame(), threat, budget)


def played(env, act, seed):
    """Sum of rewards, steps and infos of one episode."""
    shown, _ = env.reset(seed=seed)
    total, infos, over = 0.0, [], False
    while not over:
        shown, reward, ended, cut, info = env.step(act(shown))
        assert env.observation_space.contains(shown)
        total, over = total + reward, ended or cut
        infos.append(info)
    return total, infos


def checked(env):
    """Gymnasium's own check; what it says of spaces without limits is true of the robots themselves."""
    from gymnasium.utils.env_checker import check_env

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*(infinity|not within|recommend|No render|symmetric and normal).*")
        check_env(env, skip_render_check=True)
    env.close()


# ---- the libraries' own tests ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("game", "threat", "budget"),
    [
        (CART, RAW, 0.05),
        (CART, "action", 0.3),
        (PENDULUM, *BOTH),
        (PENDULUM, "dynamics(what=mass)", 0.2),
        (PENDULUM, "action(mode=mix)", 0.2),
    ],
)
def test_gymnasium_accepts_both_sides(game, threat, budget):
    if "Pendulum" in game:
        pytest.importorskip("mujoco")
    duel = attack(load_game(game), threat, budget)
    checked(attacker_env(duel, "uniform"))
    checked(victim_env(duel, RandomAttacker()))
    checked(victim_env(duel))


@pytest.mark.parametrize(
    ("game", "threat", "budget"), [(CART, RAW, 0.05), (CART, "action", 0.3), (PENDULUM, "dynamics", 2.0)]
)
def test_pettingzoo_accepts_both_sides_at_once(game, threat, budget):
    test = pytest.importorskip("pettingzoo.test")
    if "Pendulum" in game:
        pytest.importorskip("mujoco")
    duel = attack(load_game(game), threat, budget)
    test.parallel_api_test(parallel_env(duel), num_cycles=200)
    test.parallel_seed_test(lambda: parallel_env(duel), num_cycles=100)


def test_stable_baselines3_trains_in_a_view():
    """A few updates of theirs in the attacker's view: what they learned is an attacker, and it hurts."""
    ppo = pytest.importorskip("stable_baselines3", reason="stable-baselines3 is not installed").PPO
    from sparring.simulated.callables import CallablePolicy

    duel = tiny(RAW, 0.6)
    env = attacker_env(duel, Tracker())
    model = ppo("MlpPolicy", env, n_steps=256, batch_size=64, learning_rate=1e-2, seed=0, device="cpu")
    model.learn(1024)
    learned = CallablePolicy("theirs", lambda seen: model.predict(seen, deterministic=True)[0])
    hurt, noise, nobody = (
        duel.play(Tracker(), attacker, range(200)).returns.mean() for attacker in (learned, RandomAttacker(), None)
    )
    assert hurt < min(noise, nobody) - 0.3


# ---- the same episodes as the core's ---------------------------------------------------------------------------------

VICTIMS = [Tracker(), Tracker(weight=0.7), Tracker(noise=0.3), Mixture((Tracker(noise=0.2), Tracker(-1.0)), (0.4, 0.6))]


@pytest.mark.parametrize("threat", [RAW, BEHIND, "action", "observation(space=raw,share=0.5)"])
@pytest.mark.parametrize("victim", VICTIMS)
def test_the_attackers_episodes_are_those_of_the_core(threat, victim):
    duel, env = tiny(threat), attacker_env(tiny(threat), victim)
    own = [-played(env, lambda _: np.ones(2, dtype=np.float32), seed)[0] for seed in (3, 1, 3)]
    assert own == duel.play(victim, DOWN, [3, 1, 3]).returns.tolist()


@pytest.mark.parametrize("attacker", [RandomAttacker(), Ratchet([2.0, 1.0]), DOWN, None])
@pytest.mark.parametrize("threat", [RAW, "action"])
def test_the_victims_episodes_are_those_of_the_core(threat, attacker):
    duel, env = tiny(threat), victim_env(tiny(threat), attacker)
    acts = Tracker().act
    own = [played(env, lambda shown: acts(shown[None], None, None)[0][0], seed)[0] for seed in (3, 1, 3)]
    assert own == duel.play(Tracker(), attacker, [3, 1, 3]).returns.tolist()


@pytest.mark.parametrize("threat", [RAW, "action", [RAW, "action(mode=mix)"]])
def test_both_sides_play_the_episodes_of_the_core(threat):
    pytest.importorskip("pettingzoo")
    budget = [0.3, 0.2] if isinstance(threat, list) else 0.3
    duel = attack(TinyGame(), threat, budget)
    env, act = parallel_env(duel), Tracker().act
    width = env.action_space("attacker").shape[0]
    for seed in (4, 2, 4):
        seen, infos = env.reset(seed=seed)
        total, joint = 0.0, 0
        while env.agents:
            assert infos["attacker"]["acts"] or infos["victim"]["acts"]
            theirs = act(seen["victim"][None], None, None)[0][0] if infos["victim"]["acts"] else np.full(2, 77.0)
            ours = np.ones(width) if infos["attacker"]["acts"] else np.full(width, -1.0)
            seen, rewards, _, _, infos = env.step({"victim": theirs, "attacker": ours})
            assert rewards["victim"] == -rewards["attacker"]
            total, joint = total + rewards["victim"], joint + 1
        found = duel.play(Tracker(), Constant(np.ones(width)), [seed])
        assert total == found.returns[0]
        assert joint == found.lengths[0] * (1 if threat == "action" else 2)


def test_the_victim_never_sees_the_truth_that_an_attacker_hides():
    pytest.importorskip("pettingzoo")
    env = parallel_env(tiny(RAW, 0.3))
    seen, _ = env.reset(seed=0)
    assert seen["victim"].tolist() == [0.0, 0.0]
    shown = env.step({"victim": np.zeros(2), "attacker": np.ones(2)})[0]
    assert shown["victim"] - shown["attacker"] == pytest.approx(0.3)
    after = env.step({"victim": np.zeros(2), "attacker": -np.ones(2)})[0]
    assert after["victim"].tolist() == shown["victim"].tolist()
    assert after["attacker"].tolist() != shown["attacker"].tolist()


@pytest.mark.parametrize("side", list(Side))
def test_a_vector_environment_is_several_single_ones(side):
    duel = tiny("observation(space=raw,share=0.5)")
    other = Tracker(weight=0.5, noise=0.2) if side is Side.ATTACKER else Ratchet([2.0, 1.0])
    several = vector_env(duel, side, other, 3)
    shown, info = several.reset(seed=5)
    assert info["seed"].tolist() == [5, 6, 7]
    seeds, totals, done = info["seed"].copy(), np.zeros(3), {}
    for _ in range(40):
        shown, rewards, ended, cut, info = several.step(np.full((3, 2), 0.25, dtype=np.float32))
        assert several.observation_space.contains(shown)
        totals += rewards
        assert ("final_obs" in info) == bool((ended | cut).any())
        for place in np.flatnonzero(ended | cut).tolist():
            if seeds[place] >= 0:
                done[int(seeds[place])] = totals[place], info["final_obs"][place]
                seeds[place] = -1
    make = attacker_env if side is Side.ATTACKER else victim_env
    single = make(duel, other)
    for seed, (total, last) in done.items():
        single.reset(seed=seed)
        own, over = 0.0, False
        while not over:
            shown, reward, ended, cut, _ = single.step(np.full(2, 0.25, dtype=np.float32))
            own, over = own + reward, ended or cut
        assert own == pytest.approx(total, abs=1e-12)
        assert shown.tolist() == last.tolist()
    assert sorted(done) == [5, 6, 7]
    several.close()


def test_episodes_without_a_seed_follow_from_the_first_one():
    env, paths = attacker_env(tiny(), Tracker(noise=0.2)), []
    for _ in range(2):
        first, told = env.reset(seed=9)
        seeds = [env.reset()[1]["seed"] for _ in range(3)]
        paths.append((first.tolist(), told["seed"], seeds))
    assert paths[0] == paths[1]
    assert len(set(paths[0][2])) == 3


# ---- what stands in it -----------------------------------------------------------------------------------------------


def test_what_was_deployed_is_told():
    pytest.importorskip("mujoco")
    duel = attack(load_game(PENDULUM), *BOTH)
    env = attacker_env(duel, "uniform")
    truth, _ = env.reset(seed=0)
    info = env.step(np.full(6, 1.0, dtype=np.float32))[4]
    assert info["deployed"]["observation"] - truth == pytest.approx(0.1)
    assert np.linalg.norm(info["deployed"]["force pole"]) == pytest.approx(2.0)
    env.close()


def test_spaces_are_those_of_the_game():
    raw, behind = attacker_env(tiny(RAW), Tracker()), attacker_env(tiny(BEHIND), Tracker())
    assert raw.observation_space.dtype == np.float64
    assert behind.observation_space.dtype == np.float32
    assert raw.action_space == gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    assert victim_env(tiny(RAW), DOWN).action_space == gymnasium.spaces.Box(-1, 1, (2,), np.float64)
    duel = attack(load_game(CART), "action", 0.3)
    assert attacker_env(duel, "uniform").action_space == gymnasium.spaces.Discrete(2)
    own = load_game(CART).recipe.make().observation_space
    assert attacker_env(duel, "uniform").observation_space == own
    wider = victim_env(attack(load_game(CART), RAW, 0.5), RandomAttacker()).observation_space
    assert wider.high[0] == pytest.approx(own.high[0] + 0.5)
    assert wider.low[2] == pytest.approx(own.low[2] - 0.5)
    clipped = victim_env(attack(load_game(CART), "observation(space=raw,clip=true)", 0.5), RandomAttacker())
    assert clipped.observation_space == own


def test_a_recurrent_victim_begins_each_episode_anew():
    env, act = attacker_env(tiny(), Tracker(weight=0.9)), lambda _: np.full(2, 0.5, dtype=np.float32)
    alone = played(attacker_env(tiny(), Tracker(weight=0.9)), act, 6)[0]
    played(env, act, 1)
    env.reset(seed=2)
    env.step(act(None))  # left in mid-episode
    assert played(env, act, 6)[0] == alone


def test_wrong_steps_are_refused():
    env = attacker_env(tiny(), Tracker())
    with pytest.raises(RequestError, match="call reset first"):
        env.step(np.zeros(2))
    played(env, lambda _: np.zeros(2), 0)
    with pytest.raises(RequestError, match="call reset first"):
        env.step(np.zeros(2))
    env.reset(seed=0)
    with pytest.raises(RequestError, match="expected 2 numbers"):
        env.step(np.zeros(3))
    with pytest.raises(RequestError, match="2 seeds for 3 episodes"):
        vector_env(tiny(), Side.ATTACKER, Tracker(), 3).reset(seed=[1, 2])


def test_what_has_no_view_is_refused():
    with pytest.raises(RefusedError, match="environments are of simulated games"):
        attacker_env(attack("matrix:rock-paper-scissors", "partial-control", 1.0), "uniform")
    with pytest.raises(RefusedError, match="keeps to itself"):
        victim_env(tiny(BEHIND), DOWN)
    with pytest.raises(RequestError, match="an attacker needs a victim"):
        vector_env(tiny(), Side.ATTACKER, None, 2)
    pytest.importorskip("pettingzoo")
    with pytest.raises(RefusedError, match="keeps to itself"):
        parallel_env(tiny(BEHIND))


def test_attack_games_still_pickle_with_an_environment_made():
    duel = tiny()
    attacker_env(duel, Tracker()).reset(seed=0)
    assert pickle.loads(pickle.dumps(duel)).game.spec == "tiny"
