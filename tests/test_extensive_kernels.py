"""The compiled passes on trees against known values, OpenSpiel, plain loops and finite differences."""

from __future__ import annotations

import copy
import itertools
import pickle
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import reference_tree
from sparring.errors import SparringError
from sparring.extensive import linear_program
from sparring.extensive.cfr import RegretMatching
from sparring.extensive.engine import Engine, behaviour_of, plan_of, project, uniform
from sparring.extensive.game import ExtensiveGame, PlayerTree
from sparring.extensive.layout import DuelLayout
from sparring.extensive.linear_program import solve_linear_program
from sparring.extensive.tiles import LANES, build_tiles
from sparring.projection import project_simplex

Floats = NDArray[np.float64]
GAMES = (
    "kuhn_poker",
    "leduc_poker",
    "liars_dice(numdice=1,dice_sides=3)",
    "goofspiel(num_cards=3,imp_info=True,points_order=descending)",
    "dark_hex(board_size=2)",
    "leduc_poker(suit_isomorphism=True)",
    "tiny_hanabi",
)
ZERO_SUM = GAMES[:-1]
SEATS = (0, 1)
DEALS = list(itertools.permutations(range(3), 2))


@cache
def kuhn() -> ExtensiveGame:
    """Kuhn poker built by hand: seat 0 opens or checks; facing a bet one folds (0) or calls (1)."""
    tree0 = PlayerTree(
        infosets=tuple(f"{card}{after}" for after in ("", "pb") for card in range(3)),
        offset=np.arange(1, 14, 2, dtype=np.uint32),
        parent=np.array([0, 0, 0, 1, 3, 5], dtype=np.uint32),
        action=np.array([-1] + [0, 1] * 6, dtype=np.int64),
    )
    tree1 = PlayerTree(
        infosets=tuple(f"{card}{after}" for after in ("p", "b") for card in range(3)),
        offset=np.arange(1, 14, 2, dtype=np.uint32),
        parent=np.zeros(6, dtype=np.uint32),
        action=np.array([-1] + [0, 1] * 6, dtype=np.int64),
    )
    entries: dict[tuple[int, int], float] = {}
    for own, other in DEALS:
        sign = 1.0 if own > other else -1.0
        check, bet, fold, call = 1 + 2 * own, 2 + 2 * own, 7 + 2 * own, 8 + 2 * own
        after_check, after_bet = 1 + 2 * other, 7 + 2 * other
        entries[check, after_check] = sign
        entries[fold, after_check + 1] = -1.0
        entries[call, after_check + 1] = 2 * sign
        entries[bet, after_bet] = 1.0
        entries[bet, after_bet + 1] = 2 * sign
    pairs = np.array(sorted(entries), dtype=np.uint32)
    payoff = np.array([entries[row, column] / 6 for row, column in pairs.tolist()])
    return ExtensiveGame(
        spec="kuhn by hand",
        trees=(tree0, tree1),
        row=np.ascontiguousarray(pairs[:, 0]),
        column=np.ascontiguousarray(pairs[:, 1]),
        payoff=np.stack([payoff, -payoff]),
        payoff_range=((-2.0, 2.0), (-2.0, 2.0)),
        zero_sum=True,
        nodes=58,
    )


@cache
def game_of(spec: str) -> ExtensiveGame:
    pytest.importorskip("pyspiel")
    from sparring_games.openspiel import compile_game

    return compile_game(spec, cache=False)


@cache
def layout_of(spec: str, seat: int) -> DuelLayout:
    return DuelLayout.build(kuhn() if spec == "kuhn by hand" else game_of(spec), seat)


def drawn(tree: PlayerTree, seed: int) -> Floats:
    """A random behaviour, some of it pure."""
    rng = np.random.default_rng(seed)
    return project(tree, rng.normal(0.5, 0.7, tree.sequences))


def limited(spec: str, seat: int, share: float | Floats, seed: int = 5) -> Engine:
    layout = layout_of(spec, seat)
    return Engine(layout, share, drawn(layout.attacker.tree, seed))


def shares(layout: DuelLayout, seed: int) -> Floats:
    """Another limit at each information set, 0 and 1 among them."""
    drawn_shares = np.random.default_rng(seed).uniform(-0.3, 1.3, len(layout.attacker.tree.infosets))
    return np.clip(drawn_shares, 0.0, 1.0)


# ---- known values


@pytest.mark.parametrize(("seat", "expected"), [(0, 5 / 12), (1, 1 / 2)])
def test_uniform_kuhn(seat: int, expected: float) -> None:
    layout = layout_of("kuhn by hand", seat)
    assert Engine(layout).exploitability(uniform(layout.victim.tree)) == pytest.approx(expected, abs=1e-12)


def test_uniform_leduc_nash_conv() -> None:
    layouts = [layout_of("leduc_poker", seat) for seat in SEATS]
    total = sum(Engine(layout).exploitability(uniform(layout.victim.tree)) for layout in layouts)
    assert total == pytest.approx(4.747222, abs=5e-7)


@pytest.mark.parametrize("spec", ZERO_SUM)
@pytest.mark.parametrize("seat", SEATS)
def test_agrees_with_openspiel(spec: str, seat: int) -> None:
    pyspiel = pytest.importorskip("pyspiel")
    game = game_of(spec)
    source = pyspiel.load_game(spec)
    if source.get_type().dynamics == pyspiel.GameType.Dynamics.SIMULTANEOUS:
        source = pyspiel.convert_to_turn_based(source)
    tree = game.trees[seat]
    for seed in range(2):
        behaviour = drawn(tree, seed)
        table = {
            name: [(int(tree.action[s]), float(behaviour[s])) for s in range(first, last)]
            for name, first, last in zip(tree.infosets, tree.offset[:-1], tree.offset[1:], strict=True)
        }
        for name in game.trees[1 - seat].infosets:
            table.setdefault(name, [(0, 1.0)])
        policy = pyspiel.TabularPolicy(table)  # the response keeps a bare pointer to it
        response = pyspiel.TabularBestResponse(source, 1 - seat, policy)
        expected = response.value_from_state(source.new_initial_state())
        assert Engine(layout_of(spec, seat)).exploitability(behaviour) == pytest.approx(expected, abs=1e-9)


# ---- against plain loops and brute force


@pytest.mark.parametrize("spec", ["kuhn by hand", *GAMES])
@pytest.mark.parametrize("seat", SEATS)
@pytest.mark.parametrize("share", [1.0, 0.3, 0.0, None])
def test_every_pass_agrees_with_plain_loops(spec: str, seat: int, share: float | None) -> None:
    layout = layout_of(spec, seat)
    control = shares(layout, 3) if share is None else np.full(len(layout.attacker.tree.infosets), share)
    engine = limited(spec, seat, control)
    victim, free = drawn(layout.victim.tree, 1), drawn(layout.attacker.tree, 2)
    assert engine.benign is not None
    expected = reference_tree.worst_value(layout.game, seat, victim, engine.benign, control)
    assert -engine.exploitability(victim) == pytest.approx(expected, abs=1e-11)
    least, attacker = engine.attacker_response(victim)
    assert least == pytest.approx(expected, abs=1e-11)
    assert engine.value(victim, engine.deploy(attacker)) == pytest.approx(least, abs=1e-12)
    deployed = engine.deploy(free)
    assert engine.value(victim, deployed) == pytest.approx(
        reference_tree.value(layout.game, seat, victim, deployed), abs=1e-11
    )
    greatest, best = engine.victim_response(deployed)
    assert engine.value(best, deployed) == pytest.approx(greatest, abs=1e-11)
    assert greatest >= engine.value(victim, deployed) - 1e-12
    if layout.game.zero_sum:  # the victim then does to the attacker's seat what an attacker would
        everywhere = np.ones(len(layout.victim.tree.infosets))
        mirrored = reference_tree.worst_value(layout.game, 1 - seat, deployed, best, everywhere)
        assert greatest == pytest.approx(-mirrored, abs=1e-11)


@pytest.mark.parametrize("seat", SEATS)
@pytest.mark.parametrize("share", [1.0, 0.6, 0.2])
def test_brute_force_on_kuhn(seat: int, share: float) -> None:
    engine = limited("kuhn by hand", seat, share)
    tree = engine.layout.attacker.tree
    victim = drawn(engine.layout.victim.tree, 7)
    values = []
    for chosen in itertools.product((0, 1), repeat=6):
        pure = np.zeros(tree.sequences)
        pure[0] = 1.0
        pure[tree.offset[:-1] + np.array(chosen, dtype=np.uint32)] = 1.0
        values.append(reference_tree.value(engine.layout.game, seat, victim, engine.deploy(pure)))
    assert -engine.exploitability(victim) == pytest.approx(min(values), abs=1e-12)


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_of_equal_actions_the_first_is_taken(share: float) -> None:
    empty = DuelLayout.build(replace(kuhn(), payoff=np.zeros_like(kuhn().payoff)), 0)
    engine = Engine(empty, share, uniform(empty.attacker.tree))
    for value, response in (
        engine.attacker_response(uniform(empty.victim.tree)),
        engine.victim_response(uniform(empty.attacker.tree)),
    ):
        assert value == 0.0
        assert response.tolist() == [1.0] + [1.0, 0.0] * 6


@given(st.integers(0, 10_000), st.booleans())
def test_tiles_hold_the_matrix(seed: int, dense: bool) -> None:
    rng = np.random.default_rng(seed)
    rows, columns = (int(number) for number in rng.integers(1, 40, 2))
    group = rng.integers(0, 3, rows).astype(np.int64)
    pattern = rng.random((rows, columns)) < (0.9 if dense else 0.15)
    row, column = (found.astype(np.int64) for found in np.nonzero(pattern))
    value = rng.normal(size=len(row))
    tiles = build_tiles(row, column, value, group)
    rebuilt, at, last = np.zeros((rows + LANES, columns)), 0, 0
    assert tiles.row[0] == 0
    assert tiles.row[-1] == rows
    for tile, (first, height) in enumerate(zip(tiles.row, np.diff(tiles.row).tolist(), strict=False)):
        assert 1 <= height <= LANES
        assert len(set(group[first : first + height])) == 1
        assert len(set(pattern[first : first + height].any(axis=1))) == 1
        for entry in range(tiles.start[tile], tiles.start[tile + 1]):
            rebuilt[first : first + height, tiles.column[entry]] += tiles.value[at : at + height]
            at, last = at + height, height
    expected = np.zeros((rows, columns))
    expected[row, column] = value
    assert np.array_equal(rebuilt[:rows], expected)
    assert len(tiles.value) == at - last + LANES  # where the last vector ends


@pytest.mark.parametrize(("share", "most"), [(1.0, 2.9), (0.3, 3.0)])
@pytest.mark.parametrize("seat", SEATS)
def test_game_layout_and_engine_take_three_times_the_game(seat: int, share: float, most: float) -> None:
    layout = layout_of("kuhn by hand", seat)  # the smallest game: what is of fixed size shows most
    engine, game = Engine(layout, share, uniform(layout.attacker.tree)), layout.game
    arrays = [game.row, game.column, game.payoff]
    arrays += [array for tree in game.trees for array in (tree.offset, tree.parent, tree.action)]
    own = sum(array.nbytes for array in arrays)
    assert own + layout.nbytes + engine.nbytes <= most * own


def test_inputs_may_be_read_only_but_not_of_another_type_or_size() -> None:
    layout = layout_of("kuhn by hand", 0)
    engine, victim = Engine(layout), uniform(layout.victim.tree)
    victim.flags.writeable = False
    assert engine.exploitability(victim) == pytest.approx(5 / 12)
    with pytest.raises(TypeError):
        engine.exploitability(victim.astype(np.float32))  # type: ignore[arg-type]
    attacker = uniform(layout.attacker.tree)
    calls = (
        lambda: engine.exploitability(victim[1:]),
        lambda: engine.attacker_response(victim[:0].copy()),
        lambda: engine.victim_response(np.ones(14)),
        lambda: engine.value(victim, attacker[1:]),
        lambda: engine.gradients(victim, attacker[1:]),
    )
    for call in calls:
        with pytest.raises(ValueError, match="one number for each sequence"):
            call()


def test_copies_and_pickles_work_on_their_own_arrays() -> None:
    engine = limited("kuhn by hand", 0, 0.4)
    victim = drawn(engine.layout.victim.tree, 0)
    for other in (copy.copy(engine), pickle.loads(pickle.dumps(engine))):
        assert not set(other.table.tolist()) & {a for a in engine.table.tolist() if a > 1 << 20} - _shared(engine)
        assert other.exploitability(victim) == engine.exploitability(victim)


def _shared(engine: Engine) -> set[int]:
    """Addresses of the layout, which a shallow copy shares."""
    sides = (engine.layout.victim, engine.layout.attacker)
    arrays = [getattr(side, name) for side in sides for name in ("order", "above", "runs")]
    tiles = [getattr(side.tiles, name) for side in sides for name in ("row", "start", "column", "value")]
    return {array.ctypes.data for array in [*arrays, *tiles]}


def test_a_limit_needs_a_benign_behaviour() -> None:
    with pytest.raises(ValueError, match="benign"):
        Engine(layout_of("kuhn by hand", 0), 0.5)


# ---- plans, projection, gradients


@given(st.integers(0, 10_000))
def test_projection_agrees_with_the_general_one(seed: int) -> None:
    tree = game_of("leduc_poker").trees[0]
    points = np.random.default_rng(seed).normal(size=tree.sequences) * 10.0 ** (seed % 4)
    found = project(tree, points)
    for first, last in zip(tree.offset[:-1], tree.offset[1:], strict=True):
        assert found[first:last] == pytest.approx(project_simplex(points[first:last]), abs=1e-9)


def test_plans_and_behaviours() -> None:
    tree = game_of("leduc_poker").trees[0]
    behaviour = drawn(tree, 4)
    plan = plan_of(tree, behaviour)
    assert plan == pytest.approx(reference_tree.plan(tree, behaviour))
    assert plan_of(tree, behaviour_of(tree, plan, uniform(tree))) == pytest.approx(plan, abs=1e-15)
    unreached = np.repeat(plan[tree.parent] == 0, np.diff(tree.offset.astype(np.int64)))
    assert unreached.any()
    assert np.array_equal(behaviour_of(tree, plan, uniform(tree))[1:][unreached], uniform(tree)[1:][unreached])


@pytest.mark.parametrize("spec", ["kuhn by hand", "leduc_poker"])
@pytest.mark.parametrize("seat", SEATS)
def test_gradients_against_differences(spec: str, seat: int) -> None:
    layout = layout_of(spec, seat)
    engine = limited(spec, seat, shares(layout, 8))
    victim, free = uniform(layout.victim.tree), uniform(layout.attacker.tree)
    found = engine.gradients(victim, free)
    assert found.value == pytest.approx(engine.value(victim, engine.deploy(free)), abs=1e-12)
    assert found.victim_values[0] == pytest.approx(found.value, abs=1e-12)
    assert found.attacker_values[0] == pytest.approx(found.value, abs=1e-12)
    rng, step = np.random.default_rng(0), 1e-5
    for _ in range(5):
        v, a = rng.normal(size=len(victim)), rng.normal(size=len(free))
        v[0] = a[0] = 0.0
        ahead, behind = (engine.value(victim + s * v, engine.deploy(free)) for s in (step, -step))
        assert (ahead - behind) / (2 * step) == pytest.approx(float(found.victim @ v), rel=1e-5, abs=1e-7)
        ahead, behind = (engine.value(victim, engine.deploy(free + s * a)) for s in (step, -step))
        assert (ahead - behind) / (2 * step) == pytest.approx(float(found.attacker @ a), rel=1e-5, abs=1e-7)


# ---- the optimum


@pytest.mark.parametrize(("seat", "value"), [(0, -1 / 18), (1, 1 / 18)])
def test_the_optimum_of_kuhn(seat: int, value: float) -> None:
    assert -solve_linear_program(Engine(layout_of("kuhn by hand", seat))).exploitability == pytest.approx(value)


@pytest.mark.parametrize("spec", ["kuhn by hand", *GAMES])
@pytest.mark.parametrize("seat", SEATS)
@pytest.mark.parametrize("share", [1.0, 0.3, 0.0, None])
def test_the_optimum_comes_with_its_proof(spec: str, seat: int, share: float | None) -> None:
    layout = layout_of(spec, seat)
    engine = limited(spec, seat, shares(layout, 2) if share is None else share)
    found = solve_linear_program(engine)
    assert -1e-9 <= found.gap <= 1e-8
    assert engine.benign is not None
    sequence_share = np.repeat(engine.share, np.diff(layout.attacker.tree.offset.astype(np.int64)))
    assert np.all(found.attacker[1:] >= (1 - sequence_share) * engine.benign[1:] - 1e-12)
    for seed in range(3):
        assert engine.exploitability(drawn(layout.victim.tree, seed)) >= found.lower - 1e-12


def test_a_failed_programme_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def unbounded(*arguments: Any, **options: Any) -> Any:
        return type("Answer", (), {"x": None, "status": 3, "message": "unbounded"})()

    monkeypatch.setattr(linear_program, "linprog", unbounded)
    with pytest.raises(SparringError, match="kuhn by hand: unbounded"):
        solve_linear_program(Engine(layout_of("kuhn by hand", 0)))


@pytest.mark.parametrize("spec", ["kuhn by hand", "leduc_poker"])
@pytest.mark.parametrize("share", [1.0, 0.3])
@pytest.mark.parametrize("predictive", [False, True])
def test_regret_matching_reaches_the_optimum(spec: str, share: float, predictive: bool) -> None:
    for seat in SEATS:
        engine = limited(spec, seat, share)
        optimum = solve_linear_program(engine).exploitability
        matching = RegretMatching(engine, predictive)
        gap = matching.run(20_000, every=50, target=1e-3)
        assert gap <= 1e-3
        assert matching.lower - 1e-12 <= optimum <= matching.upper + 1e-12
        plan, deployed = matching.averaged_plans()
        tree = engine.layout.victim.tree
        averaged = engine.exploitability(behaviour_of(tree, plan, uniform(tree)))
        assert averaged == pytest.approx(matching.upper, abs=1e-12)
        other = engine.layout.attacker.tree
        least = engine.victim_response(behaviour_of(other, deployed, uniform(other)))[0]
        assert -least == pytest.approx(matching.lower, abs=1e-12)


@pytest.mark.parametrize("predictive", [False, True])
def test_one_iteration_of_regret_matching_by_hand(predictive: bool) -> None:
    payoff = np.random.default_rng(1).normal(size=kuhn().payoff.shape)  # no two actions worth the same
    layout = DuelLayout.build(replace(kuhn(), payoff=payoff, zero_sum=False), 0)
    victim, attacker = layout.victim.tree, layout.attacker.tree
    engine = Engine(layout, 0.5, drawn(attacker, 5))
    matching = RegretMatching(engine, predictive)
    matching.run(1)
    start = engine.gradients(uniform(victim), uniform(attacker))
    moved = _matched(victim, start.victim_values, predictive)
    then = engine.gradients(moved, uniform(attacker))
    answered = _matched(attacker, -then.attacker_values, predictive)
    found_victim, found_attacker = matching.last_behaviours()
    assert found_victim == pytest.approx(moved, abs=1e-12)
    assert found_attacker == pytest.approx(answered, abs=1e-12)
    plan, deployed = matching.averaged_plans()
    assert plan == pytest.approx(plan_of(victim, moved), abs=1e-12)
    assert deployed == pytest.approx(plan_of(attacker, engine.deploy(answered)), abs=1e-12)


def _matched(tree: PlayerTree, values: Floats, predictive: bool) -> Floats:
    """Regret matching from uniform play, in plain loops."""
    behaviour = uniform(tree)
    for first, last in zip(tree.offset[:-1], tree.offset[1:], strict=True):
        here = values[first:last]
        instant = here - behaviour[first:last] @ here
        regret = np.maximum(np.maximum(instant, 0.0) + instant * predictive, 0.0)
        behaviour[first:last] = regret / regret.sum() if regret.sum() > 0 else 1.0 / len(here)
    return behaviour


def test_regret_matching_goes_on_exactly_where_it_stopped() -> None:
    engine = limited("leduc_poker", 1, 0.7)
    straight = RegretMatching(engine)
    straight.run(40)
    first = RegretMatching(engine)
    first.run(15)
    saved = (first.victim.copy(), first.attacker.copy(), first.counters.copy())
    engine.exploitability(uniform(engine.layout.victim.tree))  # shares the working space
    second = RegretMatching(engine)
    second.restore(*saved)
    second.run(25)
    assert second.iterations == 40
    assert np.array_equal(second.victim, straight.victim)
    assert np.array_equal(second.attacker, straight.attacker)


def test_copies_of_regret_matching_go_their_own_way() -> None:
    first = RegretMatching(limited("kuhn by hand", 1, 0.6), predictive=True)
    first.run(5)
    for second in (copy.copy(first), copy.deepcopy(first), pickle.loads(pickle.dumps(first))):
        before = first.victim.copy()
        assert np.array_equal(second.victim, before)
        second.run(5)
        assert second.iterations == 10
        assert np.array_equal(first.victim, before)
        assert not np.array_equal(second.victim, before)


def test_there_is_no_average_before_the_first_iteration() -> None:
    matching = RegretMatching(Engine(layout_of("kuhn by hand", 0)))
    with pytest.raises(ValueError, match="no iteration"):
        matching.averaged_plans()
    assert matching.gap == float("inf")


# ---- the unrolled kernel


def small_tree(rng: np.random.Generator, infosets: int) -> PlayerTree:
    """A random tree: one to four actions at each information set, anywhere below the ones before."""
    sizes = rng.integers(1, 5, infosets) if infosets < 17 else np.full(infosets, 2)
    offset = np.concatenate([[1], 1 + np.cumsum(sizes)])
    parent = [rng.integers(0, first) if infosets < 17 else 0 for first in offset[:-1]]
    action = np.arange(offset[-1]) - 1
    return PlayerTree(
        tuple(map(str, range(infosets))), offset.astype(np.uint32), np.array(parent, dtype=np.uint32), action
    )


def small_duel(seed: int) -> Engine:
    """A random duel under a random limit; payoffs meet anywhere, some sequences meet none."""
    rng = np.random.default_rng(seed)
    first, second = (small_tree(rng, infosets) for infosets in rng.choice([0, 1, 2, 3, 6, 17], 2))
    met = rng.random((first.sequences, second.sequences)) < rng.choice([0.1, 0.5])
    row, column = (found.astype(np.uint32) for found in np.nonzero(met))
    payoff = rng.normal(size=len(row))
    game = ExtensiveGame(
        "random", (first, second), row, column, np.stack([payoff, -payoff]), ((-9, 9), (-9, 9)), True, 1
    )
    layout = DuelLayout.build(game, int(rng.integers(2)))
    share = rng.choice([0.0, 0.3, 1.0], len(layout.attacker.tree.infosets)) if seed % 3 else 1.0
    return Engine(layout, share, drawn(layout.attacker.tree, seed))


def assert_same_numbers(engine: Engine, predictive: bool) -> None:
    table, unrolled = RegretMatching(engine, predictive), RegretMatching(engine, predictive, unroll=True)
    for iterations, every in ((1, 0), (2, 0), (5, 2), (300, 100)):
        gaps = [matching.run(iterations, every=every) for matching in (table, unrolled)]
        assert gaps[0] == gaps[1]
        for name in ("victim", "attacker", "counters"):
            assert np.array_equal(getattr(table, name), getattr(unrolled, name)), (iterations, name)


@pytest.mark.parametrize("seat", SEATS)
@pytest.mark.parametrize("share", [1.0, 0.7, 0.3, 0.0])
@pytest.mark.parametrize("predictive", [False, True])
def test_the_unrolled_kernel_gives_kuhn_the_same_numbers(seat: int, share: float, predictive: bool) -> None:
    assert_same_numbers(limited("kuhn by hand", seat, share), predictive)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.booleans())
def test_the_unrolled_kernel_gives_random_trees_the_same_numbers(seed: int, predictive: bool) -> None:
    assert_same_numbers(small_duel(seed), predictive)


def test_the_unrolled_kernel_stops_at_the_target_and_travels() -> None:
    engine = limited("kuhn by hand", 0, 0.5)
    table, unrolled = RegretMatching(engine), RegretMatching(engine, unroll=True)
    for matching in (table, unrolled):
        assert matching.run(100_000, every=50, target=1e-3) <= 1e-3
    assert unrolled.iterations == table.iterations < 100_000
    other = pickle.loads(pickle.dumps(unrolled))
    other.run(7)
    table.run(7)
    assert other.unroll
    assert np.array_equal(other.victim, table.victim)


# ---- the cache of machine code


def test_machine_code_has_a_folder_for_this_text_of_the_kernels(tmp_path: Path) -> None:
    program = "from sparring.extensive import kernel_cache as c; c.SOURCES; print(c.cache_folder())"
    folders = []
    for extra in ("", "c.SOURCES = c.SOURCES[1:]; "):
        script = program.replace("c.SOURCES; ", extra)
        environment = {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        )
        folders.append(Path(done.stdout.strip()))
    assert folders[0] != folders[1]
    assert all(folder.is_dir() and folder.parent == tmp_path for folder in folders)


@pytest.mark.parametrize("size", [1e-300, 1.0, 1e3, 1e8, 1e17, 1e300])
def test_projection_ends_and_is_a_distribution_at_every_size(size: float) -> None:
    """Large steps once made it run for ever: beside numbers of that size the 1 of the simplex was lost."""
    tree = kuhn().trees[0]
    rng = np.random.default_rng(0)
    for points in (*rng.standard_normal((200, tree.sequences)), np.zeros(tree.sequences), np.ones(tree.sequences)):
        found = project(tree, points * size)
        sums = np.add.reduceat(found, tree.offset[:-1].astype(int))
        assert (found >= 0).all()
        assert sums == pytest.approx(np.ones(len(sums)), abs=1e-12)
        for start, end in zip(tree.offset[:-1], tree.offset[1:], strict=True):
            reference = project_simplex((points * size)[start:end])
            assert found[start:end] == pytest.approx(reference, abs=1e-9)
