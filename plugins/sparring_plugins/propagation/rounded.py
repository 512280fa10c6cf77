"""What torch computes in one kernel and the graph in several nodes: how far the two may be apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from sparring_plugins.propagation.ends import Ends
from sparring_plugins.propagation.nodes import Affine, Interval, Node

__all__ = ["Rounded"]


class Rounded(Affine):
    """The first input as it is, widened by what a fused kernel may err.

    The nodes of the graph hold in exact arithmetic, with errors that are those of no victim. The kernel rounds in
    its own way, and `reach` bounds by how much, from the boxes of all inputs. `within` gives a box of the exact value
    from them, where one is known that may be smaller than that of the first.
    """

    terms = 1

    def __init__(
        self, name: str, inputs: tuple[int, ...], shape: tuple[int, ...],
        reach: Callable[..., Tensor], within: Callable[..., Interval] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(name, inputs, shape)
        self._reach, self._within = reach, within

    def value(self, *inputs: Tensor) -> Tensor:
        """The first input."""
        return inputs[0]

    def spread(self, *radii: Tensor) -> Tensor:
        """Its radii."""
        return radii[0]

    def adjoint(self, rows: Tensor) -> Sequence[Tensor | None]:
        """Nothing of the others."""
        return rows, *[None] * (len(self.inputs) - 1)

    def interval(self, *inputs: Interval) -> Interval:
        """The smaller box, a little wider."""
        return self.interval_and_error(*inputs)[0]

    def ends(self, *inputs: Ends) -> Ends:
        """As `interval`."""
        return Node.ends(self, *inputs)

    def interval_and_error(self, *inputs: Interval) -> tuple[Interval, Tensor | None]:
        """The same widening for the box and for each unit of a row."""
        low, high = inputs[0] if self._within is None else inputs[0].met(self._within(*inputs))
        reach = self.reach(*inputs)
        return Interval(low - reach, high + reach), reach

    def reach(self, *inputs: Interval) -> Tensor:
        """How far the kernel's result may be from the exact one, [batch, *shape]."""
        return self._reach(*inputs).detach()
