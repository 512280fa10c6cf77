"""Forward-mode linear bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from sparring import hookimpl
from sparring.bounds import BoundBackend, Region
from sparring.plugin import PluginOptions

if TYPE_CHECKING:
    from torch import Tensor, nn


class ForwardOptions(PluginOptions):
    """How relaxations are chosen."""

    slope: Literal["adaptive", "same", "zero", "one"] = Field(
        "adaptive", description="lower slope of an unstable ReLU: the smaller area, that of the upper line, 0 or 1"
    )


class Forward(BoundBackend):
    """Every unit between two linear functions of the input, passed on from layer to layer.

    Cheap where a network has few inputs and many outputs; looser than `crown`, and its memory grows with the inputs.
    """

    name: ClassVar[str] = "forward"
    summary: ClassVar[str] = "linear functions of the input propagated forward: for few inputs and many outputs"
    source: ClassVar[str] = "Xu et al. 2020; thesis, section 3.2.2, algorithm 3.1"
    interface: ClassVar[int] = 1
    Options: ClassVar[type[PluginOptions]] = ForwardOptions

    def bound(self, module: nn.Module, region: Region, spec: Tensor | None) -> tuple[Tensor, Tensor]:
        """Linear functions of the outputs, or of their rows, at their least and greatest."""
        from sparring_plugins.propagation.forward_mode import ForwardMode
        from sparring_plugins.propagation.kept_graphs import graph_of

        return ForwardMode(graph_of(module, region.center), region, self.options.slope).forward_bounds(spec)


@hookimpl
def sparring_bound_backends() -> list[type[BoundBackend]]:
    """Give `forward`."""
    return [Forward]
