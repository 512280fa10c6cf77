"""OpenSpiel games compiled to sequence form, held against OpenSpiel's own answers."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sparring.errors import RequestError
from sparring.extensive.game import ExtensiveGame, PlayerTree
from sparring_games.openspiel import cache as game_cache
from sparring_games.openspiel import compile as openspiel_compile
from sparring_games.openspiel import compile_game, load_openspiel
from sparring_games.openspiel import walk as openspiel_walk
from sparring_games.openspiel.estimate import seems_endless
from sparring_games.openspiel.spec import parse_game

pyspiel = pytest.importorskip("pyspiel", reason="OpenSpiel games need the extra 'openspiel'")

GAMES = [
    "kuhn_poker",
    "leduc_poker",
    "goofspiel",
    "goofspiel(imp_info=False,num_cards=3,returns_type=point_difference)",
    "liars_dice(numdice=1,dice_sides=3)",
    "matrix_mp",
    "matrix_pd",
    "sheriff(num_rounds=1,max_items=2,max_bribe=1)",
    "bargaining(max_turns=2,max_num_instances=2)",
    "nim(pile_sizes=1;3;4)",
    "dots_and_boxes(num_rows=1,num_cols=1)",
    "start_at(game=kuhn_poker(),history=0;1;1)",
    "restricted_nash_response(game=kuhn_poker(),p=0.25)",
    "misere(game=kuhn_poker())",
    "python_kuhn_poker",
]


def behaviour(tree: PlayerTree, weights: Mapping[str, dict[int, float]]) -> np.ndarray:
    """Realisation plan, [sequences], of a behaviour strategy given by information state."""
    plan = np.zeros(tree.sequences)
    plan[0] = 1.0
    for at, name in enumerate(tree.infosets):
        for sequence in range(tree.offset[at], tree.offset[at + 1]):
            plan[sequence] = plan[tree.parent[at]] * weights[name][int(tree.action[sequence])]
    return plan


def random_policy(game: ExtensiveGame, rng: np.random.Generator) -> list[dict[str, dict[int, float]]]:
    """One random behaviour strategy a player, by information state and action."""
    return [
        {
            name: dict(zip(tree.action[a:b].tolist(), rng.dirichlet(np.ones(b - a)).tolist(), strict=True))
            for name, a, b in zip(tree.infosets, tree.offset[:-1].tolist(), tree.offset[1:].tolist(), strict=True)
        }
        for tree in game.trees
    ]


def check_structure(game: ExtensiveGame) -> None:
    """What the class promises of its arrays."""
    for tree in game.trees:
        assert tree.offset[0] == 1
        assert tree.offset[-1] == tree.sequences == len(tree.action)
        assert tree.action[0] == -1
        assert (np.diff(tree.offset.astype(np.int64)) >= 1).all()
        assert (tree.parent < tree.offset[:-1]).all()
        assert len(set(tree.infosets)) == len(tree.infosets) == len(tree.parent)
        assert (tree.offset.dtype, tree.parent.dtype, tree.action.dtype) == (np.uint32, np.uint32, np.int64)
    key = game.row.astype(np.int64) * game.trees[1].sequences + game.column
    assert (np.diff(key) > 0).all()
    assert game.row.dtype == game.column.dtype == np.uint32
    assert game.payoff.shape == (2, len(game.row))
    assert game.row.max() < game.trees[0].sequences
    assert game.column.max() < game.trees[1].sequences


def equal(one: ExtensiveGame, other: ExtensiveGame) -> bool:
    """Whether two compiled games hold the same."""
    parts = [(one.row, other.row), (one.column, other.column), (one.payoff, other.payoff)]
    for left, right in zip(one.trees, other.trees, strict=True):
        parts += [(left.offset, right.offset), (left.parent, right.parent), (left.action, right.action)]
    return (
        all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in parts)
        and [tree.infosets for tree in one.trees] == [tree.infosets for tree in other.trees]
        and (one.nodes, one.zero_sum, one.payoff_range) == (other.nodes, other.zero_sum, other.payoff_range)
    )


@pytest.mark.parametrize("spec", GAMES)
def test_value_of_random_policies_is_openspiels(spec: str) -> None:
    game = compile_game(spec, cache=False)
    check_structure(game)
    strategy = random_policy(game, np.random.default_rng(7))
    plans = [behaviour(tree, part) for tree, part in zip(game.trees, strategy, strict=True)]
    got = game.payoff @ (plans[0][game.row] * plans[1][game.column])
    want = tree_value(load_openspiel(spec).new_initial_state(), strategy)
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-12 * max(1.0, np.abs(game.payoff_range).max()))


def tree_value(state: Any, strategy: list[dict[str, dict[int, float]]]) -> np.ndarray:
    """Expected payoffs by plain recursion over OpenSpiel's states."""
    if state.is_terminal():
        return np.array(state.returns())
    if state.is_chance_node():
        moves = state.chance_outcomes()
    else:
        moves = list(strategy[state.current_player()][state.information_state_string()].items())
    return np.sum([part * tree_value(state.child(action), strategy) for action, part in moves], axis=0)


@pytest.mark.parametrize("spec", ["kuhn_poker", "leduc_poker", "goofspiel", "matrix_pd"])
def test_openspiels_own_expected_score_agrees(spec: str) -> None:
    score = pytest.importorskip("open_spiel.python.algorithms.expected_game_score", reason="python part is absent")
    policies = pytest.importorskip("open_spiel.python.policy", reason="python part is absent")
    game, loaded = compile_game(spec, cache=False), load_openspiel(spec)
    strategy = random_policy(game, np.random.default_rng(3))
    tabular = policies.TabularPolicy(loaded)
    assert tabular.states_per_player == [sorted_like(tabular, player, game) for player in (0, 1)]
    assert [tree.sequences - 1 for tree in game.trees] == [
        int(sum(tabular.legal_actions_mask[tabular.state_lookup[name]].sum() for name in names))
        for names in tabular.states_per_player
    ]
    for part in strategy:
        for name, chances in part.items():
            row = tabular.action_probability_array[tabular.state_lookup[name]]
            row[:] = 0.0
            row[list(chances)] = list(chances.values())
    plans = [behaviour(tree, part) for tree, part in zip(game.trees, strategy, strict=True)]
    got = game.payoff @ (plans[0][game.row] * plans[1][game.column])
    want = score.policy_value(loaded.new_initial_state(), [tabular, tabular])
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-12)


def sorted_like(tabular: Any, player: int, game: ExtensiveGame) -> list[str]:
    """Our information states of a player in TabularPolicy's order."""
    return sorted(game.trees[player].infosets, key=lambda name: tabular.state_lookup[name])


@pytest.mark.parametrize(
    ("spec", "nodes", "zero_sum", "ranges"),
    [
        ("kuhn_poker", 58, True, ((-2.0, 2.0), (-2.0, 2.0))),
        ("leduc_poker", 9457, True, ((-13.0, 13.0), (-13.0, 13.0))),
        ("matrix_pd", 7, False, ((0.0, 10.0), (0.0, 10.0))),
        ("matrix_coordination", 7, False, None),
    ],
)
def test_known_sizes(spec: str, nodes: int, zero_sum: bool, ranges: object) -> None:
    game = compile_game(spec, cache=False)
    assert (game.nodes, game.zero_sum) == (nodes, zero_sum)
    assert ranges is None or game.payoff_range == ranges


def test_merging_on_the_way_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = compile_game("leduc_poker", cache=False)
    monkeypatch.setattr(openspiel_walk, "_FLUSH_AT", 64)
    monkeypatch.setattr("sparring_games.openspiel.leaves._MERGE_AT", 100)
    parts = compile_game("leduc_poker", cache=False)
    np.testing.assert_allclose(parts.payoff, whole.payoff, rtol=0, atol=1e-15)
    assert np.array_equal(parts.row, whole.row)
    assert np.array_equal(parts.column, whole.column)


def test_equal_pairs_are_summed() -> None:
    # Chance decides what nobody sees: every pair of sequences ends several histories.
    game = compile_game("misere(game=liars_dice(numdice=1,dice_sides=2))", cache=False)
    check_structure(game)
    blind = compile_game("bargaining(max_turns=1,max_num_instances=3)", cache=False)
    check_structure(blind)


def test_a_row_touches_neighbouring_columns() -> None:
    game = compile_game("leduc_poker", cache=False)
    for near, far in ((game.row, game.column), (game.column, game.row)):
        order = np.lexsort((far, near))
        jumps = np.diff(far[order].astype(np.int64))[np.diff(near[order]) == 0]
        assert np.median(jumps) <= 3
        assert np.mean(jumps <= 8) > 0.8


def test_goofspiels_bare_name_and_what_wins_over_it() -> None:
    explicit = "goofspiel(num_cards=4,imp_info=True,points_order=descending)"
    assert equal(compile_game("goofspiel", cache=False), compile_game(explicit, cache=False))
    small = compile_game("goofspiel(num_cards=3)", cache=False)
    assert small.nodes < compile_game("goofspiel", cache=False).nodes
    assert small.nodes < compile_game("goofspiel(num_cards=3,points_order=random)", cache=False).nodes


def test_spaces_and_spelling_of_values_do_not_matter() -> None:
    plain = compile_game("kuhn_poker", cache=False)
    assert equal(compile_game(" kuhn_poker ( players = 2 ) ", cache=False), plain)


REFUSALS = [
    ("kuhn_pokr", ["kuhn_pokr", "did you mean 'kuhn_poker'?"]),
    ("", ["name(key=value,...)"]),
    ("kuhn_poker(player=2)", ["'player'", "did you mean 'players'?"]),
    ("kuhn_poker(players=two)", ["players=two", "a whole number", "default is 2"]),
    ("kuhn_poker(players=99999999999)", ["a whole number"]),
    ("kuhn_poker(players=2,players=2)", ["players is given twice"]),
    ("kuhn_poker(players)", ["'players' is not key=value"]),
    ("kuhn_poker(=)", ["is not key=value"]),
    ("kuhn_poker(players=2))", ["brackets"]),
    ("kuhn_poker(players=2)x", ["name(key=value,...)"]),
    ("kuhn_poker(players=2", ["name(key=value,...)"]),
    ("kuhn_poker(players=3)", ["has 3 players", "players=2"]),
    ("kuhn_poker(players=1)", ["num_players"]),
    ("matching_pennies_3p", ["has 3 players, two are needed"]),
    ("catch", ["has 1 player, two are needed"]),
    ("goofspiel(imp_info=1)", ["imp_info=1", "True or False"]),
    ("restricted_nash_response(game=kuhn_poker(),p=nan)", ["p=nan", "a number"]),
    ("misere(game=kuhn_pokr())", ["did you mean 'kuhn_poker'?"]),
    ("misere", ["game"]),
    ("goofspiel(points_order=up)", ["points_order"]),
    ("efg_game", ["efg_game(filename=PATH)"]),
    ("efg_game(filename=/no/such/file)", ["/no/such/file", "no such file"]),
    ("bargaining(instances_file=/no/such/file)", ["no such file"]),
    ("mfg_garnet", ["mean-field"]),
    ("bridge_uncontested_bidding", ["sampled stochastic"]),
    ("oware", ["no information-state string"]),
    ("liars_dice_ir(dice_sides=3,recall_length=1)", ["imperfect recall", "player", "information state"]),
    ("connect_four(rows=0)", ["crashes on these parameters"]),
    ("universal_poker(numRanks=0)", ["crashes on these parameters"]),
]


@pytest.mark.parametrize(("spec", "words"), REFUSALS)
def test_refusals_are_one_line(spec: str, words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RequestError) as refused:
        compile_game(spec, cache=False)
    line = str(refused.value)
    assert "\n" not in line
    assert all(word in line for word in words), line
    assert capfd.readouterr().err == ""


def test_missing_openspiel_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspiel", None)
    with pytest.raises(RequestError, match=r"pip install 'sparring\[openspiel\]'"):
        compile_game("kuhn_poker", cache=False)


def test_limit_of_nodes() -> None:
    assert compile_game("leduc_poker", max_nodes=9457, cache=False).nodes == 9457
    with pytest.raises(RequestError, match=r"stopped after 9,456 histories: .*max_nodes=9,456.*smaller game"):
        compile_game("leduc_poker", max_nodes=9456, cache=False)
    with pytest.raises(RequestError, match="max_nodes=0"):
        compile_game("leduc_poker", max_nodes=0, cache=False)


def test_limit_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparring_games.openspiel.compile.available_bytes", lambda: 2_000_000)
    with pytest.raises(RequestError, match=r"chess: stopped after [\d,]+ histories: .* MB .*choose a smaller game"):
        compile_game("chess", cache=False)


def test_memory_may_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARRING_MEMORY", "0.002")
    with pytest.raises(RequestError, match=r"chess: stopped after .* and 2 MB may be used; .*SPARRING_MEMORY"):
        compile_game("chess", cache=False)
    for wrong in ("much", "0", "-1", "nan", "inf"):
        monkeypatch.setenv("SPARRING_MEMORY", wrong)
        with pytest.raises(RequestError, match=f"^SPARRING_MEMORY={wrong}: gigabytes .* a number above 0"):
            compile_game("leduc_poker", cache=False)


def test_a_tree_that_would_take_days_is_refused_at_once() -> None:
    with pytest.raises(RequestError, match=r"connect_four: stopped after 65,536 histories: .* 100,000,000,000, which"):
        compile_game("connect_four", cache=False)


@pytest.mark.parametrize(("many", "refused"), [(0.5, True), (5000, False)])
def test_an_estimate_is_believed_a_thousand_times_beyond(
    monkeypatch: pytest.MonkeyPatch, many: float, refused: bool
) -> None:
    monkeypatch.setattr("sparring_games.openspiel.estimate.MANY", many)  # Leduc has 9,457 histories
    assert seems_endless(load_openspiel("leduc_poker")) is refused


def make_line_game(name: str, turns: int, chance: float | None = None, pay: float = 1.0) -> str:
    """Register a game of `turns` alternate moves, with a chance node of one outcome first if asked."""
    kinds = pyspiel.GameType
    kind = kinds(
        short_name=name,
        long_name=name,
        dynamics=kinds.Dynamics.SEQUENTIAL,
        chance_mode=kinds.ChanceMode.EXPLICIT_STOCHASTIC,
        information=kinds.Information.PERFECT_INFORMATION,
        utility=kinds.Utility.ZERO_SUM,
        reward_model=kinds.RewardModel.TERMINAL,
        max_num_players=2,
        min_num_players=2,
        provides_information_state_string=True,
        provides_information_state_tensor=False,
        provides_observation_string=False,
        provides_observation_tensor=False,
    )
    info = pyspiel.GameInfo(
        num_distinct_actions=1,
        max_chance_outcomes=1,
        num_players=2,
        min_utility=-1.0,
        max_utility=1.0,
        utility_sum=0.0,
        max_game_length=turns,
    )

    class Line(pyspiel.State):
        def __init__(self, game: Any) -> None:
            super().__init__(game)
            self.moves = -1 if chance is not None else 0

        def current_player(self) -> int:
            if self.moves < 0:
                return pyspiel.PlayerId.CHANCE
            return pyspiel.PlayerId.TERMINAL if self.moves >= turns else self.moves % 2

        def _legal_actions(self, player: int) -> list[int]:
            return [0]

        def chance_outcomes(self) -> list[tuple[int, float]]:
            return [(0, chance or 0.0)]

        def _apply_action(self, action: int) -> None:
            self.moves += 1

        def information_state_string(self, player: int | None = None) -> str:
            return str(self.moves)

        def is_terminal(self) -> bool:
            return self.moves >= turns

        def returns(self) -> list[float]:
            return [pay, -pay]

        def __str__(self) -> str:
            return str(self.moves)

    class LineGame(pyspiel.Game):
        def __init__(self, params: Any = None) -> None:
            super().__init__(kind, info, params or {})

        def new_initial_state(self) -> Any:
            return Line(self)

    if name not in pyspiel.registered_names():
        pyspiel.register_game(kind, LineGame)
    return name


def test_a_game_without_end_is_refused() -> None:
    with pytest.raises(RequestError, match=r"stopped after [\d,]+ histories: .*may never end"):
        compile_game(make_line_game("line_endless", 10**9), cache=False)


def test_faulty_games_are_refused() -> None:
    with pytest.raises(RequestError, match=r"chance probabilities sum to 0\.5"):
        compile_game(make_line_game("line_half_chance", 3, chance=0.5), cache=False)
    with pytest.raises(RequestError, match="NaN or infinity"):
        compile_game(make_line_game("line_nan", 3, pay=float("nan")), cache=False)


def test_a_users_own_game_is_never_cached(tmp_path: Path) -> None:
    game = compile_game(make_line_game("line_of_three", 3), cache=tmp_path)
    assert (game.nodes, len(game.row)) == (4, 1)
    assert list(tmp_path.iterdir()) == []
    assert not openspiel_compile._comes_with_engine(parse_game("misere(game=line_of_three())"))
    assert openspiel_compile._comes_with_engine(parse_game("misere(game=kuhn_poker())"))


def only_file(folder: Path) -> Path:
    (file,) = folder.iterdir()
    return file


@pytest.fixture
def untouched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The specs that were compiled afresh since the fixture was set up."""
    compiled: list[str] = []
    original = openspiel_compile._compile

    def noted(spec: str, *rest: Any) -> ExtensiveGame:
        compiled.append(spec)
        return original(spec, *rest)

    monkeypatch.setattr(openspiel_compile, "_compile", noted)
    return compiled


def test_cache_hit_equals_the_compiled_game(tmp_path: Path, untouched: list[str]) -> None:
    fresh = compile_game("goofspiel", cache=tmp_path)
    again = compile_game("goofspiel(num_cards=4)", cache=tmp_path)
    assert untouched == ["goofspiel"]
    assert equal(fresh, again)
    assert (fresh.spec, again.spec) == ("goofspiel", "goofspiel(num_cards=4)")
    with pytest.raises(RequestError, match="max_nodes=10"):
        compile_game("goofspiel", cache=tmp_path, max_nodes=10)


def test_cache_folder_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARRING_CACHE", str(tmp_path / "deep" / "down"))
    compile_game("kuhn_poker")
    assert only_file(tmp_path / "deep" / "down").suffix == ".npz"
    compile_game("leduc_poker", cache=None)
    only_file(tmp_path / "deep" / "down")


@pytest.mark.parametrize("harm", ["truncate", "flip", "empty", "garbage"])
def test_damaged_cache_file_is_rebuilt(tmp_path: Path, harm: str, untouched: list[str]) -> None:
    fresh = compile_game("kuhn_poker", cache=tmp_path)
    file = only_file(tmp_path)
    whole = file.read_bytes()
    middle = whole.index(np.ascontiguousarray(fresh.payoff).tobytes()) + 3
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    file.write_bytes({"truncate": whole[:-100], "flip": flipped, "empty": b"", "garbage": b"not a zip"}[harm])
    assert equal(compile_game("kuhn_poker", cache=tmp_path), fresh)
    assert untouched == ["kuhn_poker"] * 2
    compile_game("kuhn_poker", cache=tmp_path)
    assert untouched == ["kuhn_poker"] * 2


def test_every_flipped_byte_is_noticed_or_harmless(tmp_path: Path) -> None:
    fresh = compile_game("matrix_mp", cache=tmp_path)
    file = only_file(tmp_path)
    whole = file.read_bytes()
    key = game_cache._text(np.load(file)["key"])
    for at in range(0, len(whole), 37):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        stored = game_cache.load_cached(file, key, "matrix_mp")
        assert stored is None or equal(stored, fresh)


def test_well_formed_file_with_changed_payoffs_is_not_trusted(tmp_path: Path, untouched: list[str]) -> None:
    fresh = compile_game("kuhn_poker", cache=tmp_path)
    file = only_file(tmp_path)
    with np.load(file) as stored:
        arrays = {name: stored[name] for name in stored.files}
    np.savez(file, **(arrays | {"payoff": arrays["payoff"] + 1.0}))
    assert equal(compile_game("kuhn_poker", cache=tmp_path), fresh)
    assert untouched == ["kuhn_poker"] * 2


def test_other_versions_are_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, untouched: list[str]) -> None:
    compile_game("kuhn_poker", cache=tmp_path)
    older = only_file(tmp_path)
    monkeypatch.setattr(game_cache, "_FORMAT", 999)
    compile_game("kuhn_poker", cache=tmp_path)
    assert len(untouched) == 2
    # Even under the name of the new version the old file does not pass.
    (newer,) = set(tmp_path.iterdir()) - {older}
    newer.write_bytes(older.read_bytes())
    compile_game("kuhn_poker", cache=tmp_path)
    assert len(untouched) == 3
    monkeypatch.setattr(pyspiel, "__version__", "0.0.0")
    compile_game("kuhn_poker", cache=tmp_path)
    assert len(untouched) == 4


def test_data_files_belong_to_the_key(tmp_path: Path, untouched: list[str]) -> None:
    data = tmp_path / "game.efg"
    data.write_text(pyspiel.get_kuhn_poker_efg_data())
    spec = f"efg_game(filename={data})"
    folder = tmp_path / "cache"
    assert compile_game(spec, cache=folder).nodes == 58
    compile_game(spec, cache=folder)
    assert len(untouched) == 1
    data.write_text(pyspiel.get_sample_efg_data())
    assert compile_game(spec, cache=folder).nodes != 58


def test_unwritable_cache_costs_only_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert compile_game("kuhn_poker", cache=blocked / "below").nodes == 58
    assert "not kept" in caplog.text


def test_concurrent_writers_leave_one_whole_file(tmp_path: Path) -> None:
    game = compile_game("goofspiel", cache=False)
    file, key = game_cache.cache_file(tmp_path, "goofspiel", {"game": "same"})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: game_cache.store(file, key, game), range(24)))
    stored = game_cache.load_cached(only_file(tmp_path), key, "goofspiel")
    assert stored is not None
    assert equal(stored, game)
    assert json.loads(key)["game"] == "same"


def test_interrupted_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(game_cache.np, "savez", interrupted)
    with pytest.raises(KeyboardInterrupt):
        compile_game("kuhn_poker", cache=tmp_path)
    assert list(tmp_path.iterdir()) == []
