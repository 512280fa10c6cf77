"""The most robust victim by linear programming, exactly, at every budget.

The victim's realisation plan `x` faces an attacker whose deployed plan must keep
`y[s] >= floor[s] * y[parent]`, where `floor = (1 - share) * benign`. The dual of the attacker's problem
(von Stengel 1996 for `floor = 0`) has one number `w` an information set and one slack `l >= 0` a sequence:

    w[I] + l[s] = (A x)[s] + sum over information sets J below s of (w[J] + sum over t in J of floor[t] * l[t])

and the victim maximises the right side at the empty sequence. Carrying the slack as a variable keeps one
copy of the payoffs in the programme at every budget. Measured on 6-sided liar's dice: the dual simplex
after presolve is the fastest of HiGHS's methods on this side, and the other side is slower below budget 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import coo_array, csr_array, hstack, vstack

from sparring.errors import SparringError
from sparring.extensive.engine import Engine, behaviour_of, uniform
from sparring.extensive.game import PlayerTree
from sparring.extensive.layout import action_counts

__all__ = ["LinearSolution", "solve_linear_program"]

Reals = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LinearSolution:
    """The most robust victim and the attacker that holds it there."""

    exploitability: float
    """Of `victim`, recomputed by a best response."""
    victim: Reals
    """Behaviour, [victim sequences]."""
    attacker: Reals
    """Deployed behaviour of the optimal attacker, from the dual prices, [attacker sequences]."""
    lower: float
    """What no victim's exploitability falls below: the best value any victim gets against `attacker`, negated."""
    iterations: int
    """Of the programme's method."""

    @property
    def gap(self) -> float:
        """How far from the optimum this may be: `exploitability - lower`."""
        return self.exploitability - self.lower


@dataclass(frozen=True, eq=False)
class _Blocks:
    """Columns x [victim sequences], w [attacker infosets], l [attacker sequences - 1]."""

    objective: Reals
    equalities: Any
    right: Reals
    free: NDArray[np.bool_]
    """Columns without a sign."""


def _owners(tree: PlayerTree) -> NDArray[np.int64]:
    """Information set of each sequence but the empty one, [sequences - 1]."""
    return np.repeat(np.arange(len(tree.infosets)), action_counts(tree))


def _flow(tree: PlayerTree) -> csr_array:
    """The constraints of a realisation plan, [1 + infosets, sequences]."""
    infosets, sequences = len(tree.infosets), tree.sequences
    values = np.concatenate([np.ones(sequences), -np.ones(infosets)])
    rows = np.concatenate([[0], 1 + _owners(tree), 1 + np.arange(infosets)])
    columns = np.concatenate([np.arange(sequences), tree.parent.astype(np.int64)])
    return csr_array(coo_array((values, (rows, columns)), shape=(1 + infosets, sequences)))


def _payoffs(engine: Engine) -> csr_array:
    """The victim's payoffs, [attacker sequences, victim sequences]."""
    game, seat = engine.layout.game, engine.layout.victim_player
    shape = (game.trees[0].sequences, game.trees[1].sequences)
    # scipy's constructor checks index ranges only for signed integers
    pair = (game.row.astype(np.int64), game.column.astype(np.int64))
    matrix = csr_array(coo_array((game.payoff[seat], pair), shape=shape))
    matrix.eliminate_zeros()
    return csr_array(matrix.T) if seat == 0 else matrix


def _blocks(engine: Engine) -> _Blocks:
    victim, attacker = engine.layout.victim.tree, engine.layout.attacker.tree
    infosets, moves = len(attacker.infosets), attacker.sequences - 1
    owner, sequence = _owners(attacker), 1 + np.arange(moves)
    parent, slack = attacker.parent.astype(np.int64), np.arange(moves)
    floor = np.zeros(moves) if engine.benign is None else (1.0 - engine.share[owner]) * engine.benign[1:]
    below = coo_array((np.ones(infosets), (parent, np.arange(infosets))), shape=(1 + moves, infosets))
    own = coo_array((np.ones(moves), (sequence, owner)), shape=(1 + moves, infosets))
    fixed = coo_array((floor, (parent[owner], slack)), shape=(1 + moves, moves))
    here = coo_array((np.ones(moves), (sequence, slack)), shape=(1 + moves, moves))
    values = csr_array(hstack([_payoffs(engine), below - own, fixed - here]))
    flow = _flow(victim)
    padding = csr_array((flow.shape[0], infosets + moves))
    right = np.zeros(moves + flow.shape[0])
    right[moves] = 1.0
    free = np.zeros(values.shape[1], dtype=bool)
    free[victim.sequences : victim.sequences + infosets] = True
    equalities = vstack([values[1:], hstack([flow, padding])], format="csc")
    return _Blocks(-values[[0]].toarray()[0], equalities, right, free)


def _attacker(engine: Engine, plan: Reals) -> Reals:
    """Deployed behaviour of an attacker's plan that may be off by rounding, [attacker sequences].

    What exceeds the benign part is made a behaviour again and deployed, so that the limit holds exactly.
    """
    tree = engine.layout.attacker.tree
    deployed = behaviour_of(tree, np.maximum(plan, 0.0), uniform(tree))
    if engine.benign is None:
        return deployed
    extra = np.maximum(deployed - (1.0 - engine.sequence_share) * engine.benign, 0.0)
    owner = _owners(tree)
    total = np.bincount(owner, weights=extra[1:], minlength=len(tree.infosets))[owner]
    free, kept = uniform(tree), total > 0.0
    free[1:][kept] = extra[1:][kept] / total[kept]
    return engine.deploy(free)


def solve_linear_program(engine: Engine) -> LinearSolution:
    """Find the victim of least exploitability under the engine's limit on the attacker.

    Raises:
        SparringError: HiGHS did not reach an optimum; its message is in the line.
    """
    blocks = _blocks(engine)
    low = np.where(blocks.free, -np.inf, 0.0)
    bounds: Any = np.stack([low, np.full(len(low), np.inf)], axis=1)
    found = linprog(blocks.objective, A_eq=blocks.equalities, b_eq=blocks.right, bounds=bounds, method="highs-ds")
    if found.x is None or found.status != 0:
        raise SparringError(f"linear programme of {engine.layout.game.spec}: {found.message}")
    tree = engine.layout.victim.tree
    victim = behaviour_of(tree, np.maximum(found.x[: tree.sequences], 0.0), uniform(tree))
    prices = found.eqlin.marginals[: engine.layout.attacker.tree.sequences - 1]
    attacker = _attacker(engine, np.concatenate([[1.0], prices]))
    lower = -engine.victim_response(attacker)[0]
    return LinearSolution(engine.exploitability(victim), victim, attacker, lower, int(found.nit))
