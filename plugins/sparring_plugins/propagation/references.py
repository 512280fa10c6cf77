"""What passes through the trace of a network: nodes, constants that are fetched anew, and sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import ref

from torch import Tensor

__all__ = ["BATCH", "BatchSize", "Live", "NoRule", "Ref", "attribute_of"]


@dataclass(frozen=True, eq=False)
class Ref:
    """A value that depends on the network's input: a node of the graph."""

    place: int
    shape: tuple[int, ...]
    """Its shape without the batch."""
    like: Tensor
    """The input, whose type, device and batch it shares: what would change these is refused."""
    memory: object = field(default_factory=object)
    """The same object for values that share memory, one of which an in-place operation would change with the other."""

    @property
    def example(self) -> Tensor:
        """Shaped, typed and placed like it, [batch, *shape]; what stands there means nothing."""
        return self.like.new_zeros(()).expand(self.like.shape[0], *self.shape)


@dataclass(frozen=True, eq=False)
class Live:
    """A value that does not depend on the input, fetched anew whenever it is used: parameters change."""

    fetch: Callable[[], Any]


def attribute_of(module: Any, name: str) -> Live:
    """What a module has by a name, and had last where it is gone.

    A graph is kept for as long as its module is there, and must not keep that; gradients may be asked for later.
    """
    held, last = ref(module), getattr(module, name)

    def fetch() -> Any:
        nonlocal last
        owner = held()
        if owner is not None:
            last = getattr(owner, name)
        return last

    return Live(fetch)


class BatchSize:
    """How many samples there are: no number, for a graph serves all batches."""

    def __repr__(self) -> str:
        return "the batch size"


BATCH = BatchSize()


@dataclass(frozen=True, eq=False)
class NoRule:
    """A second result that may stand there as long as nobody uses it, such as the place of a maximum."""

    what: str
