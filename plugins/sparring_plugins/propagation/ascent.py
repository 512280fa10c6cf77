"""Finding slopes that raise the lower bounds of rows (alpha-CROWN): values forward, coefficients backward."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from sparring_plugins.propagation.enclosure import Enclosure, Take
from sparring_plugins.propagation.graph import Graph
from sparring_plugins.propagation.nodes import Affine, Interval, Planar, Planes
from sparring_plugins.propagation.steering import Pace, Steering, steering

__all__ = ["Ascent", "Effort"]


PATIENCE = 5
"""Steps that must together gain too little before a row is given up: some are too long, and later ones gain again."""


@dataclass(frozen=True)
class Effort:
    """How long to search, and how."""

    steps: int = 20
    """Most evaluations of a bound."""
    tolerance: float = 1e-3
    """A row is left as it is once `PATIENCE` steps together gave less than this share of all it gained; 0: never."""
    pace: Pace = field(default_factory=Pace)


class Ascent:
    """Rows at one node, each with an alpha for every unit of every curve below.

    A bound of a row is a linear function of the input at its least point. What each unit's line contributes to it
    is its coefficient times the line at the unit's value, where values are those of that point, passed upward
    through the very lines that the row takes (Danskin). So the gradient in all alphas costs one pass forward, and
    no tape. Rounding plays no part here: only alphas leave this class.
    """

    def __init__(
        self,
        graph: Graph,
        enclosure: Enclosure,
        sources: Callable[[int], Sequence[Interval]],
        take: Take | None,
    ) -> None:
        """`sources` gives the boxes of a node's inputs, [entries of `take`, *shape]."""
        self._graph, self._enclosure, self._take, self._sources = graph, enclosure, take, sources
        self._steerings: dict[int, Steering] = {}
        self._fixed: dict[int, Planes] = {}

    def alphas(self, target: int, rows: Tensor, effort: Effort) -> dict[int, Tensor]:
        """The best alphas seen for `rows` and then for their negatives, by curve, [batch, 2 * rows, *shape].

        Args:
            target: place of a node.
            rows: [batch or 1, rows, *shape of the node].
            effort: how long to search.
        """
        self._prepare(target, rows)
        best = self._evaluate()
        found = {place: steer.alpha.clone() for place, steer in self._steerings.items()}
        start, active = best, torch.ones_like(best, dtype=torch.bool)
        earlier = deque([best], PATIENCE)
        for step in range(1, effort.steps):
            self._improve(step, effort.pace)
            least = self._evaluate()
            better = active & (least > best)
            best = torch.where(better, least, best)
            self._keep(found, better)
            if effort.tolerance > 0 and step >= PATIENCE:
                active = active & ~(best - earlier[0] <= effort.tolerance * (best - start))
                if not bool(active.any()):
                    break
            earlier.append(best)
        return found

    def _keep(self, found: dict[int, Tensor], better: Tensor) -> None:
        moved = better.to(self._point.dtype)
        for place, kept in found.items():
            kept.lerp_(self._steerings[place].alpha, moved.view(*moved.shape, *[1] * (kept.dim() - 2)))

    def _prepare(self, target: int, rows: Tensor) -> None:
        """Move rows as far as they go without a relaxation; that part is the same in every step."""
        self._rows, self._known = {target: rows}, rows.new_zeros(())
        self._first = 0
        for place in range(target, 0, -1):
            if place in self._rows:
                if not isinstance(self._graph.nodes[place], Affine):
                    self._first = place
                    break
                self._through_affine(place)
        self._start = {place: torch.cat([waiting, -waiting], 1) for place, waiting in self._rows.items()}
        self._start_known = torch.cat([self._known, -self._known], 1) if self._known.dim() else self._known
        self._signs = {self._first: _signs(self._start[self._first])} if self._first else {}

    def _evaluate(self) -> Tensor:
        """Lower bounds, [batch, 2 * rows], but for rounding."""
        self._rows, self._known = dict(self._start), self._start_known
        self._met: dict[int, tuple[Tensor, tuple[Tensor, ...], Tensor]] = {}
        self._passed: set[int] = set()
        for place in range(self._first, 0, -1):
            if place in self._rows:
                if isinstance(self._graph.nodes[place], Affine):
                    self._through_affine(place)
                    self._passed.add(place)
                else:
                    self._through_relaxed(place)
        rows = self._rows.pop(0, None)
        if rows is None:  # all shares of the input are zero
            count, low = (
                self._known.shape[-1],
                self._enclosure.low if self._take is None else self._enclosure.low[self._take],
            )
            rows = low.new_zeros(low.shape[0], count, *low.shape[1:])
        rows = rows.flatten(2)
        self._point = self._enclosure.lowest(rows, self._take)
        return torch.linalg.vecdot(rows, self._point) + self._known

    def _put(self, place: int, rows: Tensor) -> None:
        there = self._rows.get(place)
        self._rows[place] = rows if there is None else there + rows

    def _through_affine(self, place: int) -> None:
        node, rows = self._graph.nodes[place], self._rows.pop(place)
        assert isinstance(node, Affine)
        bias = node.bias()
        if bias is not None:
            self._known = self._known + rows.flatten(2) @ bias.expand(node.shape).flatten()
        for source, moved in zip(node.inputs, node.adjoint(rows.flatten(0, 1)), strict=True):
            if moved is not None:
                self._put(source, moved.view(*rows.shape[:2], *moved.shape[1:]))

    def _through_relaxed(self, place: int) -> None:
        node, rows = self._graph.nodes[place], self._rows.pop(place)
        positive = self._signs.get(place)
        if positive is None:
            positive = _signs(rows)
        slopes, intercept = self._line(place, positive)
        self._met[place] = (rows, slopes, intercept)
        self._known = self._known + (rows * intercept).flatten(2).sum(2)
        for source, slope in zip(node.inputs, slopes, strict=True):
            self._put(source, rows * slope)

    def _line(self, place: int, positive: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """Slopes and intercept that each row takes at a node."""
        if place not in self._steerings and place not in self._fixed:
            sources = self._sources(place)
            steer = steering(self._graph.nodes[place], sources)
            if steer is None:
                node = self._graph.nodes[place]
                assert isinstance(node, Planar)
                self._fixed[place] = node.planes(*sources)
            else:
                steer.begin(positive)
                self._steerings[place] = steer
        if place in self._steerings:
            return self._steerings[place].line(positive)
        planes = self._fixed[place]
        slopes = tuple(_sided(positive, *pair) for pair in zip(planes.lower, planes.upper, strict=True))
        return slopes, _sided(positive, planes.lower_intercept, planes.upper_intercept)

    def _improve(self, step: int, pace: Pace) -> None:
        """Values at the least point, node by node, and every curve's answer to them."""
        count = self._point.shape[:2]
        values = {0: self._point.reshape(-1, *self._graph.nodes[0].shape)}
        for place in range(1, self._first + 1):
            node = self._graph.nodes[place]
            if place in self._met:
                rows, slopes, intercept = self._met[place]
                inputs = [values[source].view(*count, *node.shape) for source in node.inputs]
                if place in self._steerings:
                    self._steerings[place].move(rows, inputs, step, pace)
                value = intercept
                for slope, given in zip(slopes, inputs, strict=True):
                    value = torch.addcmul(value, slope, given)
                values[place] = value.expand(*count, *node.shape).flatten(0, 1)
            elif place in self._passed:
                # An input without a value has no share in the node's, nor in anything that the rows met.
                values[place] = node.value(*(self._value(values, source) for source in node.inputs))

    def _value(self, values: dict[int, Tensor], place: int) -> Tensor:
        found = values.get(place)
        return found if found is not None else self._point.new_zeros(len(values[0]), *self._graph.nodes[place].shape)


def _sided(positive: Tensor, below: Tensor, above: Tensor) -> Tensor:
    """What each row takes of a part of a lower and an upper plane, [batch, *shape]."""
    return torch.lerp(above.detach().unsqueeze(1), below.detach().unsqueeze(1), positive)


def _signs(rows: Tensor) -> Tensor:
    """1 where a row takes the lower line, else 0."""
    return (rows >= 0).to(rows.dtype)
