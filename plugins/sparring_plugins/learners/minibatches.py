"""Cuts a rollout into minibatches, in a new order each epoch: single steps, or pieces of episodes for an LSTM."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring_plugins.learners.actor_critic import Pieces

__all__ = ["Minibatch", "in_pieces", "in_steps"]

Ints = NDArray[np.int64]
TINY = 1e-8
"""Added to a deviation before it divides."""


class Minibatch(NamedTuple):
    """Steps that are learned from together, a row each."""

    seen: Tensor
    """As the networks saw it, [rows, inputs]."""
    drawn: Tensor
    """[rows, ...]."""
    log_probabilities: Tensor
    """Of what was drawn, by the policy that drew it, [rows]."""
    values: Tensor
    """Of the critic then, [rows]."""
    advantages: Tensor
    """[rows]."""
    targets: Tensor
    """Of the critic, [rows]."""
    pieces: Pieces | None = None
    """For recurrent networks."""

    def rows(self, order: Ints) -> Minibatch:
        """Those rows, in that order."""
        places = torch.from_numpy(order)
        return Minibatch._make([*(each.index_select(0, places) for each in self[:6]), None])


def in_steps(experience: Minibatch, size: int, rng: np.random.Generator, *, standard: bool) -> Iterator[Minibatch]:
    """Minibatches of `size` steps each, the last one perhaps smaller; `standard`: with standardised advantages."""
    shuffled = experience.rows(rng.permutation(len(experience.seen)))
    if standard:  # of all minibatches at once, since an operation on one costs as much as on all
        shuffled = shuffled._replace(advantages=_standardised(shuffled.advantages, size))
    for parts in zip(*(each.split(size) for each in shuffled[:6]), strict=True):
        yield Minibatch(*parts)


def in_pieces(
    experience: Minibatch,
    memory: NDArray[np.float32],
    finished: NDArray[np.bool_],
    size: int,
    longest: int,
    rng: np.random.Generator,
    *,
    standard: bool,
) -> Iterator[Minibatch]:
    """Minibatches of whole pieces, each of at least `size` steps but the last.

    Args:
        experience: rows in the order of a rollout, [steps * batch].
        memory: before each step, [steps, batch, width].
        finished: whether the episode was over after the step, [steps, batch].
        size: steps.
        longest: steps of a piece, at most.
        rng: the order.
        standard: whether advantages are standardised in each minibatch.
    """
    pieces = _pieces(finished, longest)
    flat = torch.from_numpy(memory.reshape(-1, memory.shape[2]))
    gathered: list[Ints] = []
    order = rng.permutation(len(pieces))
    for number, place in enumerate(order):
        gathered.append(pieces[place])
        if number + 1 == len(order) or sum(len(piece) for piece in gathered) >= size:
            part = _padded(experience, flat, gathered)
            yield part._replace(advantages=_standardised(part.advantages, len(part.seen))) if standard else part
            gathered = []


def _standardised(advantages: Tensor, size: int) -> Tensor:
    """Mean 0 and deviation 1 in each run of `size` rows; a row alone stays as it is."""
    whole = len(advantages) // size * size if size > 1 else 0
    runs = [advantages[:whole].view(-1, size)] if whole > 0 else []
    runs += [advantages[None, whole:]] if len(advantages) - whole > 1 else []
    found = advantages.clone()
    first = 0
    for run in runs:
        deviation, mean = torch.std_mean(run, dim=1, keepdim=True)
        found[first : first + run.numel()] = ((run - mean) / (deviation + TINY)).flatten()
        first += run.numel()
    return found


def _pieces(finished: NDArray[np.bool_], longest: int) -> list[Ints]:
    """Rows of each piece: cut where an episode ends, and where it would be too long."""
    steps, batch = finished.shape
    found: list[Ints] = []
    for place in range(batch):
        ends = np.union1d(np.flatnonzero(finished[:, place]) + 1, [steps])
        for start, end in zip(np.concatenate([[0], ends[:-1]]), ends, strict=True):
            found += [np.arange(low, min(low + longest, end)) * batch + place for low in range(start, end, longest)]
    return found


def _padded(experience: Minibatch, memory: Tensor, gathered: list[Ints]) -> Minibatch:
    """Rows of the pieces one after another, and the table [steps, pieces] in which a recurrent network runs them.

    Both sizes of the table are powers of 2: torch compiles its LSTM for each new shape, which takes longer than ten
    minibatches.
    """
    order = np.concatenate(gathered)
    shape = _power(max(len(piece) for piece in gathered)), _power(len(gathered))
    table, filled = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.bool_)
    starts = np.zeros(shape[1], dtype=np.int64)
    first = 0
    for column, piece in enumerate(gathered):
        table[: len(piece), column] = np.arange(first, first + len(piece))
        filled[: len(piece), column] = True
        starts[column] = piece[0]
        first += len(piece)
    places = np.empty(len(order), dtype=np.int64)
    places[table[filled]] = np.flatnonzero(filled)
    rows, where, heads = (torch.from_numpy(each) for each in (table, places, starts))
    return experience.rows(order)._replace(pieces=Pieces(memory[heads], rows, where))


def _power(count: int) -> int:
    """The least power of 2 that is not below."""
    return 1 << (count - 1).bit_length()
