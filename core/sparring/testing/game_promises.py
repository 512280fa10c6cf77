"""Checks of what a game source and its games promise."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import partial

import numpy as np

from sparring.access import ActionAccess, OpponentAccess
from sparring.errors import RefusedError, RequestError
from sparring.game import Game
from sparring.game_options import load_from
from sparring.markov.game import MarkovGame
from sparring.sameness import fingerprint
from sparring.specs import parse
from sparring.testing.games import GameBench, charged

__all__ = [
    "attackable_or_says_why",
    "games_are_whole",
    "games_load_again",
    "refuses_what_it_does_not_know",
    "zero_sum_as_declared",
]


def games_are_whole(bench: GameBench) -> None:
    """A game is of a declared form, has one or two seats, and says what seats and decision points it has."""
    for label, game in bench.games:
        forms = bench.subject.plugin.forms
        faults = {
            f"its form is {game.form}, the source declares {', '.join(sorted(forms))}": game.form not in forms,
            f"it has {game.players} players": game.players not in (1, 2),
            f"its spec is {game.spec!r}": not isinstance(game.spec, str) or not game.spec,
        }
        for fault, found in faults.items():
            if found:
                raise bench.subject.failure(fault, "see sparring.game.Game for what a game says of itself", label)
        for seat in range(game.players) if game.form.exact else ():
            _check_points(bench, label, game, seat)


def _check_points(bench: GameBench, label: str, game: Game, seat: int) -> None:
    points = game.decision_points(seat)
    if not points or len(set(points)) != len(points):
        raise bench.subject.failure(
            f"the decision points of seat {seat} are not names that differ", "name each state or information set", label
        )


def games_load_again(bench: GameBench) -> None:
    """Its spec loads the same game again, bit for bit, and a pickled one arrives as it was."""
    for label, game in bench.games:
        spec = parse(game.spec)
        if spec.family not in (None, bench.source.name):
            raise bench.subject.failure(
                f"its spec {game.spec!r} names the family {spec.family!r}", f"begin it with {bench.source.name}:", label
            )
        again: dict[str, Callable[[], Game]] = {
            f"loading {game.spec!r} again": partial(load_from, bench.source, spec.name, spec.options),
            "pickling it": partial(pickle.loads, pickle.dumps(game)),
        }
        for how, make in again.items():
            try:
                fault = "" if fingerprint(make()) == fingerprint(game) else "gives another game"
            except Exception as error:
                fault = f"fails with {type(error).__name__}: {error}"
            if fault:
                raise bench.subject.failure(f"{how} {fault}", "let the spec hold all that makes the game", label)


def zero_sum_as_declared(bench: GameBench) -> None:
    """A game says that it is zero-sum just where the payoffs of both seats always add up to 0."""
    for label, game in bench.games:
        payoffs = game.reward if isinstance(game, MarkovGame) else getattr(game, "payoff", None)
        if payoffs is None or not game.form.exact:
            continue
        cancel = len(payoffs) == 2 and bool(np.abs(np.sum(payoffs, axis=0)).max(initial=0.0) <= 1e-9)
        if game.zero_sum != cancel:
            raise bench.subject.failure(
                f"zero_sum is {game.zero_sum}, the payoffs {'add' if cancel else 'do not add'} up to 0",
                "set zero_sum from the payoffs",
                label,
            )


def refuses_what_it_does_not_know(bench: GameBench) -> None:
    """An unknown game, and an unknown option of a known one, is a RequestError."""
    known = bench.games[0][0]
    for name, options in (("no-such-game", {}), (parse(known).name, {**parse(known).options, "no_such_option": 1})):
        try:
            load_from(bench.source, name, options)
        except RequestError:
            continue
        except Exception as error:
            cause = f"{name!r} with {options} raises {type(error).__name__}: {error}"
        else:
            cause = f"{name!r} with {options} loads a game"
        raise bench.subject.failure(cause, "raise a RequestError that names the nearest legal choice")


def attackable_or_says_why(bench: GameBench) -> None:
    """Every seat of every game can be attacked at part of the budget, or a RefusedError says why not."""
    for label, game in bench.games:
        for seat in (0, 1) if game.players == 2 else (None,):
            try:
                access = ActionAccess() if game.players == 1 else OpponentAccess(game.uniform_policy(1 - (seat or 0)))
                duel = charged(game, access, seat, 0.5)
            except RefusedError:
                continue
            if duel.victim_player != seat or duel.game is not game:
                raise bench.subject.failure(
                    f"the attack game is of seat {duel.victim_player}, asked for was {seat}",
                    "build it from the game and the seat that are asked for",
                    label,
                )
