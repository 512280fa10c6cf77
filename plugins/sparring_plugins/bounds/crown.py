"""CROWN: linear relaxations propagated backward, inner nodes likewise."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from sparring import hookimpl
from sparring.bounds import BoundBackend, Region
from sparring.plugin import PluginOptions

if TYPE_CHECKING:
    from torch import Tensor, nn


class CrownOptions(PluginOptions):
    """How relaxations are chosen."""

    slope: Literal["adaptive", "same", "zero", "one"] = Field(
        "adaptive", description="lower slope of an unstable ReLU: the smaller area, that of the upper line, 0 or 1"
    )
    intermediate: Literal["crown", "ibp", "forward"] = Field(
        "crown", description="how the nodes inside the network are bounded"
    )


class Crown(BoundBackend):
    """Each output is bounded by a linear function of the input, found by one pass backward."""

    name: ClassVar[str] = "crown"
    summary: ClassVar[str] = "linear relaxations propagated backward from every node: tight"
    source: ClassVar[str] = "Zhang et al. 2018 (CROWN); Xu et al. 2020; thesis, sections 3.1 and 3.2"
    interface: ClassVar[int] = 1
    Options: ClassVar[type[PluginOptions]] = CrownOptions

    def bound(self, module: nn.Module, region: Region, spec: Tensor | None) -> tuple[Tensor, Tensor]:
        """Bound inner nodes as `intermediate` says, then the output by a backward pass."""
        from sparring_plugins.propagation.forward_mode import ForwardMode
        from sparring_plugins.propagation.kept_graphs import graph_of
        from sparring_plugins.propagation.pieces import in_pieces
        from sparring_plugins.propagation.programs import bounds
        from sparring_plugins.propagation.propagation import Propagation

        graph, slope, inside = graph_of(module, region.center), self.options.slope, self.options.intermediate

        def bound(region: Region, spec: Tensor | None) -> tuple[Tensor, Tensor]:
            found = None if inside == "forward" else bounds(graph, region, spec, inside, slope)
            if found is not None:
                return found
            if inside == "forward":
                return ForwardMode(graph, region, slope).bounds(spec)
            return Propagation(graph, region, inside, slope).bounds(spec)

        return in_pieces(graph, region, spec, bound)


@hookimpl
def sparring_bound_backends() -> list[type[BoundBackend]]:
    """Give `crown`."""
    return [Crown]
