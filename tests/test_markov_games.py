"""Where Markov games come from: the named ones, the generator and files."""

from __future__ import annotations

import json

import numpy as np
import pytest

from markov_duels import dense, observed, partial_control, random_policy
from sparring.attack_game import Side
from sparring.errors import RequestError
from sparring.markov.attack_game import MarkovAttackGame
from sparring.markov.policy import MarkovPolicy
from sparring_games.markov import from_file, grid_traps, random_zero_sum, sa_toy, soccer
from sparring_games.markov.soccer import MOVES, _Board, _boards, _outcomes


def best_alone(game):
    """The best policy of a one-agent game that nobody attacks, and its value."""
    duel = MarkovAttackGame(game, [], None)
    state, value = duel.respond(Side.VICTIM, MarkovPolicy(np.ones((game.states, 1))))
    return duel.freeze(state), float(value)


def test_the_toy_is_figure_6_2():
    game = sa_toy()
    following = dense(game)[:, :, 0].argmax(axis=-1)
    assert following.tolist() == [[0, 1], [1, 2], [2, 0]]
    assert game.reward[0, :, :, 0].tolist() == [[0, 1], [1, 0], [1, 0]]
    assert (game.players, game.gamma, game.spec) == (1, 0.99, "markov:sa-toy")
    assert sa_toy(gamma=0.5).spec == "markov:sa-toy(gamma=0.5)"
    assert best_alone(game)[1] == pytest.approx(100.0)


def test_the_grid_is_walked_around_its_traps():
    """From the start the target is six steps away, so its reward is discounted five times."""
    game = grid_traps()
    victim, value = best_alone(game)
    assert value == pytest.approx(0.9**5)
    assert (game.states, game.players, game.max_reward) == (16, 1, 1.0)
    values = [-observed(game, radius).exploitability(victim).lower for radius in range(4)]
    assert values[0] == pytest.approx(value)
    assert values == sorted(values, reverse=True)
    # One cell of blindness makes it meet traps again and again, as figure 6.6b shows.
    assert values[1] < -3.0
    assert values[-1] > -1 / (1 - game.gamma)


def test_a_trap_costs_each_time_and_is_no_end():
    game = grid_traps("STG", gamma=0.5)
    right = MarkovPolicy(np.eye(4)[[3, 3, 3]])
    left = MarkovPolicy(np.eye(4)[[3, 2, 2]])
    up = MarkovPolicy(np.eye(4)[[3, 0, 0]])
    duel = MarkovAttackGame(game, [], None)
    assert float(duel.value(right)) == pytest.approx(-1 + 0.5)
    assert float(duel.value(left)) == pytest.approx(-1 / (1 - 0.25))  # on and off the trap, for ever
    assert float(duel.value(up)) == pytest.approx(-1 / (1 - 0.5))  # bumping into the border above it
    assert duel.state_values(right)[2] == 0.0
    assert game.neighbours.tolist() == [[False, True, False], [True, False, True], [False, True, False]]


def test_walls_are_no_cells():
    game = grid_traps("S#G/...", gamma=0.5)
    assert game.states == 5
    assert best_alone(game)[1] == pytest.approx(0.5**3)
    assert game.spec == "markov:grid-traps(layout=S#G/..., gamma=0.5)"


@pytest.mark.parametrize(
    ("layout", "line"),
    [
        ("S../G.", "row 2 has 2 cells, row 1 has 3"),
        ("S.G/S..", "2 starts .* 1 targets"),
        ("S..", "1 starts .* 0 targets"),
        ("S.x", "column 3 is 'x'; choose from: S"),
        ("", "row 1 has 0 cells"),
    ],
)
def test_malformed_layouts_are_refused(layout, line):
    with pytest.raises(RequestError, match=line):
        grid_traps(layout)


def test_random_games_come_from_their_seed():
    one, two, other = (random_zero_sum(states=6, actions=2, actions1=3, seed=seed) for seed in (4, 4, 5))
    assert (one.transition != two.transition).nnz == 0
    assert (one.reward == two.reward).all()
    assert (one.reward != other.reward).any()
    assert one.zero_sum
    assert one.reward[0].min() >= 0
    assert one.reward[0].max() <= 1
    assert one.shape == (6, 2, 3)
    sparse = random_zero_sum(states=40, branching=3, seed=1)
    assert np.diff(sparse.transition.indptr).tolist() == [3] * (40 * 9)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"states": 0}, "states is 0, expected 1 or more"),
        ({"states": 2, "branching": 3}, "branching is 3, expected at most states, 2"),
        ({"gamma": 1.5}, "gamma is 1.5"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_impossible_random_games_are_refused(options, line):
    with pytest.raises(RequestError, match=line):
        random_zero_sum(**options)


NORTH, SOUTH, EAST, WEST, STAND = range(5)


def boards_after(board, first, second):
    return list(_outcomes(board, (first, second)))


def test_soccer_moves():
    free = _Board(((2, 1), (0, 4)), 0)
    assert boards_after(free, EAST, STAND) == [(_Board(((2, 2), (0, 4)), 0), 0)] * 2
    assert boards_after(free, STAND, NORTH) == [(free, 0)] * 2  # the border stops player 1


def test_soccer_bumps_give_the_ball_to_the_one_who_stands():
    close = _Board(((1, 1), (1, 2)), 0)
    assert boards_after(close, EAST, STAND) == [(_Board(close.cells, 1), 0)] * 2
    assert boards_after(close, STAND, WEST) == [(close, 0)] * 2  # player 1 bumps into the ball
    # Both move: the first to move decides. Player 0 first bumps and loses the ball, then player 1 leaves with it.
    assert boards_after(close, EAST, EAST) == [
        (_Board(((1, 1), (1, 3)), 1), 0),
        (_Board(((1, 2), (1, 3)), 0), 0),
    ]


def test_soccer_goals():
    near = _Board(((1, 4), (3, 0)), 0)
    assert boards_after(near, EAST, STAND) == [(None, 1)] * 2
    assert boards_after(_Board(near.cells, 1), EAST, STAND) == [(_Board(near.cells, 1), 0)] * 2  # without the ball
    assert boards_after(_Board(((1, 0), (3, 0)), 0), WEST, STAND)[0][1] == 0  # its own goal
    assert boards_after(_Board(((0, 4), (3, 0)), 0), EAST, STAND)[0][1] == 0  # beside the goal
    assert boards_after(_Board(((3, 3), (2, 0)), 1), STAND, WEST) == [(None, -1)] * 2


def test_soccer_is_littmans_and_fair():
    game = soccer()
    assert game.shape == (760, 5, 5)
    assert game.zero_sum
    assert game.gamma == 0.9
    assert np.flatnonzero(game.rho).size == 2
    boards = _boards()
    index = {board: number for number, board in enumerate(boards)}
    turned = [
        index[_Board(tuple((3 - row, 4 - column) for row, column in board.cells[::-1]), 1 - board.owner)]
        for board in boards
    ]
    flip = [MOVES.index((-down, -right)) for down, right in MOVES]
    # Half a turn of the board swaps the players.
    mirrored = game.reward[1][turned][:, :, flip][:, flip].swapaxes(1, 2)
    assert mirrored == pytest.approx(game.reward[0])
    rows = np.arange(760 * 25).reshape(760, 5, 5)
    other = rows[turned][:, :, flip][:, flip].swapaxes(1, 2).ravel()
    assert np.abs(game.transition[other][:, turned] - game.transition).max() < 1e-15


ARRAYS = {
    "transition": [[[0.5, 0.5], [1.0, 0.0]], [[0.0, 1.0], [0.25, 0.75]]],
    "reward": [[1.0, 0.0], [0.0, 2.0]],
    "gamma": 0.9,
    "rho": [1.0, 0.0],
    "neighbours": [[0, 1], [1, 0]],
    "state_names": ["left", "right"],
}


def write(folder, kind, arrays):
    path = folder / f"game.{kind}"
    if kind == "json":
        path.write_text(json.dumps(arrays))
    else:
        np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("kind", ["json", "npz"])
def test_a_game_from_a_file_is_the_game_of_its_arrays(tmp_path, kind):
    game = from_file(write(tmp_path, kind, ARRAYS))
    assert dense(game)[:, :, 0].tolist() == ARRAYS["transition"]
    assert game.reward[0, :, :, 0].tolist() == ARRAYS["reward"]
    assert game.neighbours.dtype == bool
    assert game.state_names == ("left", "right")
    assert game.spec == f"markov:{tmp_path / f'game.{kind}'}"
    victim = random_policy(0, 2, 2)
    assert observed(game, 1).exploitability(victim).exact


@pytest.mark.parametrize("kind", ["json", "npz"])
def test_a_game_for_two_from_a_file(tmp_path, kind):
    source = random_zero_sum(states=3, actions=2, actions1=4, seed=2)
    arrays = {"transition": dense(source).tolist(), "reward": source.reward.tolist(), "gamma": 0.9}
    game = from_file(write(tmp_path, kind, arrays))
    assert game.players == 2
    benign, victim = random_policy(1, 3, 4), random_policy(2, 3, 2)
    found, wanted = (partial_control(each, 0.4, benign).exploitability(victim).lower for each in (game, source))
    assert found == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("kind", ["json", "npz"])
@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"gamma": None}, "key 'gamma' is missing"),
        ({"rewards": [[1.0]]}, "unknown key 'rewards'; did you mean 'reward'"),
        ({"gamma": [0.5, 0.5]}, r"gamma has shape \[2\]"),
        ({"gamma": 1.0}, "gamma is 1.0"),
        ({"gamma": float("nan")}, "gamma is nan"),
        ({"reward": [[float("nan"), 0.0], [0.0, 2.0]]}, r"reward at \[0, 0\] is nan"),
        ({"reward": [1.0, 2.0]}, r"reward has shape \[2\]"),
        ({"reward": [["a", "b"], ["c", "d"]]}, "reward: holds entries such as"),
        ({"transition": [[[0.5, 0.6], [1, 0]], [[0, 1], [0, 1]]]}, r"state 0 \(left\), action 0 sums to 1.1"),
        ({"transition": [[[1.5, -0.5], [1, 0]], [[0, 1], [0, 1]]]}, "has the entry -0.5"),
        ({"transition": [[1.0, 0.0], [0.0, 1.0]]}, r"transition has shape \[2, 2\]"),
        ({"rho": [0.5, 0.4]}, "rho sums to 0.9"),
        ({"neighbours": [[0, 2], [1, 0]]}, r"neighbours at \[0, 1\] is 2"),
        ({"neighbours": [[0, 1, 1]]}, r"neighbours has shape \[1, 3\]"),
        ({"state_names": ["one"]}, "state_names has shape"),
        ({"state_names": [1, 2]}, "state_names: expected a list of words"),
    ],
)
def test_files_that_are_no_game_are_refused_in_one_line(tmp_path, kind, changes, line):
    arrays = {key: value for key, value in (ARRAYS | changes).items() if value is not None}
    with pytest.raises(RequestError, match=line) as caught:
        from_file(write(tmp_path, kind, arrays))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("missing.npz", None, "cannot read .*No such file"),
        ("missing.json", None, "cannot read .*No such file"),
        ("game.txt", b"", r"ends in .npz or .json"),
        ("game.npz", b"", "not an npz file"),
        ("game.npz", b"no zip at all", "not an npz file"),
        ("game.npz", b"PK\x03\x04 cut off", "not an npz file"),
        ("game.json", b"{", "line 1 column 2"),
        ("game.json", b"[1, 2]", "the JSON is a list"),
        ("game.json", b"\xff\xfe", "no text in UTF-8"),
        ("game.json", b'{"transition": [[1, 2], [3]]}', "transition: rows have different lengths"),
        ("game.json", b'{"transition": []}', "transition: holds nothing"),
        ("game.json", b'{"state_names": 3}', "state_names"),
    ],
)
def test_files_that_cannot_be_read_are_refused_in_one_line(tmp_path, name, content, line):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RequestError, match=line) as caught:
        from_file(path)
    assert "\n" not in str(caught.value)


def test_pickled_objects_are_never_opened(tmp_path):
    path = tmp_path / "game.npz"
    np.savez(path, transition=np.array([{"a": 1}], dtype=object))
    with pytest.raises(RequestError, match="objects are refused"):
        from_file(path)
    np.save(tmp_path / "bare.npy", np.ones(3))
    (tmp_path / "bare.npy").rename(tmp_path / "bare.npz")
    with pytest.raises(RequestError, match="one bare array"):
        from_file(tmp_path / "bare.npz")
