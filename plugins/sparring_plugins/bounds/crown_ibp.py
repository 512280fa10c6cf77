"""CROWN-IBP: intervals inside, one backward pass from the output."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from sparring import hookimpl
from sparring.bounds import BoundBackend, Region
from sparring.plugin import PluginOptions

if TYPE_CHECKING:
    from torch import Tensor, nn


class CrownIbpOptions(PluginOptions):
    """The mixture."""

    beta: float = Field(
        1.0,
        ge=0,
        le=1,
        description="weight of the backward bounds; the rest is that of plain intervals, as in training",
    )
    slope: Literal["adaptive", "same", "zero", "one"] = Field(
        "adaptive", description="lower slope of an unstable ReLU: the smaller area, that of the upper line, 0 or 1"
    )


class CrownIbp(BoundBackend):
    """As fast as a few passes through the network, and differentiable at that price: made for training."""

    name: ClassVar[str] = "crown-ibp"
    summary: ClassVar[str] = "intervals inside, one backward pass from the output; mixed with ibp by beta for training"
    source: ClassVar[str] = "Zhang et al. 2020 (CROWN-IBP); thesis, section 5.2.4, equation 5.8"
    interface: ClassVar[int] = 1
    Options: ClassVar[type[PluginOptions]] = CrownIbpOptions

    def bound(self, module: nn.Module, region: Region, spec: Tensor | None) -> tuple[Tensor, Tensor]:
        """`beta * backward + (1 - beta) * ibp`: every mixture of sound bounds is sound."""
        from sparring_plugins.propagation.intervals import boxed
        from sparring_plugins.propagation.kept_graphs import graph_of
        from sparring_plugins.propagation.pieces import in_pieces
        from sparring_plugins.propagation.programs import bounds
        from sparring_plugins.propagation.propagation import Propagation
        from sparring_plugins.propagation.trained_rows import backward_bounds

        beta, slope, graph = self.options.beta, self.options.slope, graph_of(module, region.center)

        def bound(region: Region, spec: Tensor | None) -> tuple[Tensor, Tensor]:
            if beta == 0:
                return boxed(graph, region, spec)
            found = bounds(graph, region, spec, "ibp", slope) or backward_bounds(graph, region, spec, slope)
            low, high = Propagation(graph, region, "ibp", slope).bounds(spec) if found is None else found
            if beta == 1:
                return low, high
            below, above = boxed(graph, region, spec)
            return _mixed(below, low, beta, -1.0), _mixed(above, high, beta, 1.0)

        return in_pieces(graph, region, spec, bound)


def _mixed(first: Tensor, second: Tensor, beta: float, outward: float) -> Tensor:
    """`first + beta (second - first)`, moved outward by the rounding of three operations."""
    from torch import finfo, maximum

    size = maximum(first.detach().abs(), second.detach().abs())
    return first.lerp(second, beta).add(size, alpha=4 * finfo(size.dtype).eps * outward)


@hookimpl
def sparring_bound_backends() -> list[type[BoundBackend]]:
    """Give `crown-ibp`."""
    return [CrownIbp]
