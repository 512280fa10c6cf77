"""Where matrix games come from: named ones and files of payoffs."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sparring.access import ChargedAccess, OpponentAccess
from sparring.budgets import MIXING_PROBABILITY
from sparring.errors import RequestError
from sparring.matrix.attack_game import MatrixAttackGame
from sparring.matrix.policy import MatrixPolicy
from sparring_games.matrix import matching_pennies, payoffs_from_file, rock_paper_scissors


def control(game, eps, benign=None, seat=0):
    part = ChargedAccess(OpponentAccess(benign), MIXING_PROBABILITY.budget(eps), "partial-control")
    return MatrixAttackGame(game, [part], seat)


def test_rock_paper_scissors():
    game = rock_paper_scissors()
    rock, paper, scissors = range(3)
    assert game.payoff[0, paper, rock] == game.payoff[0, rock, scissors] == game.payoff[0, scissors, paper] == 1
    assert game.payoff[0] == pytest.approx(-game.payoff[0].T)
    assert game.zero_sum
    optimum = control(game, 1.0).optimum()
    assert optimum.exploitability == pytest.approx(0.0, abs=1e-12)
    assert optimum.policy.probabilities == pytest.approx(np.full(3, 1 / 3))
    assert control(game, 1.0).exploitability(MatrixPolicy(np.eye(3)[rock])).lower == 1.0


def test_matching_pennies():
    game = matching_pennies()
    assert game.payoff[0].tolist() == [[1, -1], [-1, 1]]
    assert game.zero_sum
    assert control(game, 1.0).optimum().exploitability == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("eps", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("seat", [0, 1])
def test_control_of_a_matrix_is_the_mixed_strategy(eps, seat):
    rng = np.random.default_rng(3)
    game = rock_paper_scissors()
    victim, benign = MatrixPolicy(rng.dirichlet(np.ones(3))), MatrixPolicy(rng.dirichlet(np.ones(3)))
    payoff = game.payoff[0] if seat == 0 else game.payoff[1].T
    returns = victim.probabilities @ payoff
    expected = (1 - eps) * returns @ benign.probabilities + eps * returns.min()
    assert control(game, eps, benign, seat).exploitability(victim).lower == pytest.approx(-expected, abs=1e-12)


ZERO_SUM = [[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]]
BOTH = [ZERO_SUM, [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]]


def write(path, content):
    if path.suffix == ".npz":
        np.savez(path, **content)
    else:
        path.write_text(content if path.suffix == ".csv" else json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.npz", {"payoff": ZERO_SUM}),
        ("a.json", {"payoff": ZERO_SUM}),
        ("a.json", ZERO_SUM),
        ("a.csv", "1,-2,0.5\n0,3,-1\n"),
        ("a.csv", "\ufeff1, -2, .5\r\n\r\n0, 3, -1".replace("\r\n\r\n", "\r\n")),
    ],
)
def test_one_matrix_is_a_zero_sum_game(tmp_path, name, content):
    game = payoffs_from_file(write(tmp_path / name, content))
    assert game.payoff[0].tolist() == ZERO_SUM
    assert game.zero_sum
    assert game.spec == f"matrix:{tmp_path / name}"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.npz", {"payoff": BOTH}),
        ("a.npz", {"payoff": BOTH[0], "payoff1": BOTH[1]}),
        ("a.json", {"payoff": BOTH[0], "payoff1": BOTH[1]}),
        ("a.json", BOTH),
        ("a.csv", "1,-2,0.5\n0,3,-1\n\n0,1,2\n3,4,5\n"),
    ],
)
def test_two_matrices_are_a_general_sum_game(tmp_path, name, content):
    game = payoffs_from_file(write(tmp_path / name, content))
    assert game.payoff.tolist() == BOTH
    assert not game.zero_sum


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.csv", "1,2\n3,x\n", "line 2, column 2 is 'x', expected a number"),
        ("a.csv", "1,2\n3,\n", "line 2, column 2 is '', expected a number"),
        ("a.csv", "1,2\n3,nan\n", "line 2, column 2 is nan, expected a finite number"),
        ("a.csv", "1,2\n-inf,4\n", "line 2, column 1 is -inf"),
        ("a.csv", "1,2\n3\n", "line 2 has 1 cells, expected 2"),
        ("a.csv", "1\n\n2\n\n3\n", "3 matrices, expected one, or two"),
        ("a.csv", "", "0 matrices"),
        ("a.csv", "1,2\n\n3,4\n5,6\n", "expected the same shape twice"),
        ("a.npz", {"payoff": [[1.0, np.nan]]}, "payoff of player 0 at row 0, column 1 is nan"),
        ("a.json", {"payoff": [[1.0, float("inf")]]}, "payoff of player 0 at row 0, column 1 is inf"),
        ("a.json", {"payoff": [1.0, 2.0]}, r"payoffs of shape \[2\], expected \[A0, A1\] or \[2, A0, A1\]"),
        ("a.json", {"payoff": [[[1.0]], [[2.0]], [[3.0]]]}, r"payoffs of shape \[3, 1, 1\]"),
        ("a.json", {"payoffs": [[1.0]]}, "unknown key 'payoffs'; did you mean 'payoff'"),
        ("a.json", {"payoff1": [[1.0]]}, "key 'payoff' is missing"),
        ("a.json", {"payoff": [["one"]]}, "entries such as"),
        ("a.json", [[1, 2], [3]], "rows have different lengths"),
        ("a.json", 3, "the JSON is a int"),
        ("a.txt", "", r"ends in .npz, .json or .csv"),
    ],
)
def test_payoffs_that_are_no_game_are_refused_in_one_line(tmp_path, name, content, line):
    with pytest.raises(RequestError, match=line) as caught:
        payoffs_from_file(write(tmp_path / name, content))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["none.csv", "none.json", "none.npz"])
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(RequestError, match=f"cannot read .*{name}: No such file"):
        payoffs_from_file(tmp_path / name)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"1,\xff\n")
    with pytest.raises(RequestError, match="no text in UTF-8"):
        payoffs_from_file(tmp_path / "a.csv")
