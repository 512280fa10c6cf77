"""Depth-first walk over an OpenSpiel tree: information sets, sequences and payoffs in order of first visit."""

from __future__ import annotations

import functools
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sparring.errors import RequestError
from sparring_games.openspiel.engine import engine_faults
from sparring_games.openspiel.estimate import MANY, seems_endless
from sparring_games.openspiel.leaves import LeafTable

__all__ = ["InfosetTable", "Walk", "walk_game"]

_CHANCE, _TERMINAL = -1, -4
_CHECK_EVERY = 1024
_ESTIMATE_AT = 1 << 16
_FLUSH_AT = 1 << 14
# Every pending level keeps a state with its whole history, so an endless branch costs the square of its length.
_LONGEST = 4096
# A dictionary entry, a string header, three 32-bit columns and their copies while renumbering.
_INFOSET_BYTES = 320
# What sorting and renumbering take beyond the entries themselves.
_FINISH = 3


class _RecallError(Exception):
    """Information state, and what differs between two ways that its player reaches it."""


@dataclass(eq=False)
class InfosetTable:
    """One player's information sets, by number of first visit."""

    index: dict[str, int] = field(default_factory=dict)
    first: array[int] = field(default_factory=lambda: array("I"))
    """First sequence of each information set; sequence 0 is the empty one."""
    parent: array[int] = field(default_factory=lambda: array("I"))
    """The player's last own sequence before each information set."""
    choice: array[int] = field(default_factory=lambda: array("I"))
    """Number of each information set's action list in `menus`."""
    menus: dict[tuple[int, ...], int] = field(default_factory=dict)
    sequences: int = 1
    letters: int = 0

    def enter(self, name: str, own: int, legal: tuple[int, ...]) -> int:
        """Return the first sequence of the information set `name`, reached after own sequence `own`."""
        at = self.index.get(name)
        menu = self.menus.setdefault(legal, len(self.menus))
        if at is None:
            if not legal:
                raise ValueError(f"no legal action in the information state {name!r}")
            at = self.index[name] = len(self.first)
            self.first.append(self.sequences)
            self.parent.append(own)
            self.choice.append(menu)
            self.sequences += len(legal)
            self.letters += len(name)
        elif self.parent[at] != own:
            raise _RecallError(self, name, "after two different own histories")
        elif self.choice[at] != menu:
            raise _RecallError(self, name, "with two different lists of legal actions")
        return self.first[at]


@dataclass(eq=False)
class Walk:
    """What a finished walk found."""

    tables: tuple[InfosetTable, InfosetTable]
    leaves: LeafTable
    nodes: int = 0

    @property
    def peak_bytes(self) -> int:
        """Estimate of the memory that compiling needs, were the walk to end here."""
        infosets = sum(len(table.first) for table in self.tables)
        letters = sum(table.letters for table in self.tables)
        return _FINISH * self.leaves.nbytes + _INFOSET_BYTES * infosets + letters


def walk_game(spec: str, game: Any, *, max_nodes: int | None, memory: Callable[[], int]) -> Walk:
    """Visit every history of a loaded two-player sequential game.

    Args:
        spec: the game as the user named it, for messages.
        game: an OpenSpiel game that passed `check_game`.
        max_nodes: most histories to visit; None leaves it to the memory.
        memory: gives the bytes that compiling may take where `max_nodes` is None; not asked for a tiny tree.

    Raises:
        RequestError: imperfect recall, a limit reached, endless play, or a fault of the game.
    """
    walk = Walk((InfosetTable(), InfosetTable()), LeafTable())
    memory = functools.cache(memory)

    def check(state: Any) -> int:
        if len(walk.leaves.row) >= _FLUSH_AT:
            walk.leaves.flush()
        reason = _why_stop(walk, max_nodes, memory)
        if reason is None and max_nodes is None and walk.nodes == _ESTIMATE_AT and seems_endless(game):
            reason = f"by an estimate there are more than {MANY:,.0f}, which take days; choose a smaller game"
        if reason is None and state.move_number() > _LONGEST:
            reason = f"one is longer than {_LONGEST} moves, play may never end; choose a finite game"
        if reason is not None:
            raise RequestError(f"{spec}: stopped after {walk.nodes:,} histories: {reason}")
        return _CHECK_EVERY if max_nodes is None else min(_CHECK_EVERY, max_nodes - walk.nodes)

    try:
        with engine_faults(spec, "its tree cannot be listed"):
            _visit_all(game.new_initial_state(), walk, check)
            walk.leaves.flush()
    except _RecallError as fault:
        raise _imperfect_recall(spec, walk, *fault.args) from None
    return walk


def _why_stop(walk: Walk, max_nodes: int | None, memory: Callable[[], int]) -> str | None:
    if max_nodes is not None and walk.nodes >= max_nodes:
        return f"there are more than max_nodes={max_nodes:,}; choose a smaller game or raise max_nodes"
    if max_nodes is not None or walk.nodes == 0 or walk.peak_bytes <= memory():
        return None
    return (
        f"compiling them takes about {walk.peak_bytes / 1e6:,.0f} MB and {memory() / 1e6:,.0f} MB may be used; "
        "choose a smaller game, or set max_nodes or SPARRING_MEMORY if you know that the rest fits"
    )


def _visit_all(state: Any, walk: Walk, check: Callable[[Any], int]) -> None:
    """Walk with an explicit stack of (state, action, chance so far, last sequence of either player)."""
    tables = walk.tables
    leaf_row, leaf_column = walk.leaves.row.append, walk.leaves.column.append
    leaf_chance, leaf_returns = walk.leaves.chance.append, walk.leaves.returns.extend
    stack: list[tuple[Any, int, float, int, int]] = []
    chance, row, column = 1.0, 0, 0
    nodes = due = 0
    while True:
        if nodes >= due:
            walk.nodes = nodes
            due = nodes + check(state)
        nodes += 1
        player = state.current_player()
        if player == _TERMINAL:
            leaf_row(row)
            leaf_column(column)
            leaf_chance(chance)
            leaf_returns(state.returns())
        elif player == _CHANCE:
            stack += [(state, action, chance * part, row, column) for action, part in _outcomes(state)[::-1]]
        else:
            name = state.information_state_string()
            legal = state.legal_actions()
            first = tables[player].enter(name, column if player else row, tuple(legal))
            order = range(len(legal) - 1, -1, -1)
            if player:
                stack += [(state, legal[at], chance, row, first + at) for at in order]
            else:
                stack += [(state, legal[at], chance, first + at, column) for at in order]
        if not stack:
            break
        parent, action, chance, row, column = stack.pop()
        if stack and stack[-1][0] is parent:
            state = parent.child(action)
        else:  # the last of its siblings: nobody needs the parent any more, a copy is saved
            parent.apply_action(action)
            state = parent
    walk.nodes = nodes


def _outcomes(state: Any) -> list[tuple[int, float]]:
    outcomes: list[tuple[int, float]] = state.chance_outcomes()
    total = sum(probability for _, probability in outcomes)
    if not abs(total - 1.0) < 1e-6:
        raise ValueError(f"chance probabilities sum to {total}, not 1, after the moves {state.history()}")
    return outcomes


def _imperfect_recall(spec: str, walk: Walk, table: InfosetTable, name: str, how: str) -> RequestError:
    player = 0 if table is walk.tables[0] else 1
    shown = name if len(name) <= 120 else name[:116] + " ..."
    return RequestError(
        f"{spec}: imperfect recall: player {player} reaches the information state {shown!r} {how}; "
        "choose a game with perfect recall"
    )
