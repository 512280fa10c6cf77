"""alpha-CROWN: CROWN with optimised slopes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from sparring import hookimpl
from sparring.bounds import BoundBackend, Region
from sparring.plugin import PluginOptions

if TYPE_CHECKING:
    from torch import Tensor, nn


class AlphaCrownOptions(PluginOptions):
    """How long slopes are optimised, and which."""

    steps: int = Field(20, ge=1, description="most evaluations of each bound; fewer where it no longer improves")
    rate: float = Field(0.5, gt=0, description="length of the first step of a slope at a kink, between 0 and 1")
    decay: float = Field(0.7, ge=0, description="step k has length rate / k ** decay")
    tolerance: float = Field(
        1e-3, ge=0, description="a bound is done once five steps gave less than this share of all it gained; 0: never"
    )
    intermediate: Literal["optimised", "fixed"] = Field(
        "optimised", description="whether the nodes inside the network are optimised too, or bounded by CROWN"
    )


class AlphaCrown(BoundBackend):
    """Every output, and every unit inside, has slopes of its own, found step by step: nowhere looser than CROWN.

    Slopes at kinks follow gradients; a tangent touches where the point of the least value so far meets the curve.
    In gradients of the bounds the slopes found count as constants.
    """

    name: ClassVar[str] = "alpha-crown"
    summary: ClassVar[str] = "CROWN with slopes optimised for each bound: the tightest, and slower"
    source: ClassVar[str] = "Xu et al. 2021 (Fast and Complete); thesis, sections 3.1.4 and 3.2"
    interface: ClassVar[int] = 1
    Options: ClassVar[type[PluginOptions]] = AlphaCrownOptions

    def bound(self, module: nn.Module, region: Region, spec: Tensor | None) -> tuple[Tensor, Tensor]:
        """CROWN, then better slopes node by node."""
        from sparring_plugins.propagation.alpha import Optimised
        from sparring_plugins.propagation.ascent import Effort
        from sparring_plugins.propagation.kept_graphs import graph_of
        from sparring_plugins.propagation.steering import Pace

        options = self.options
        effort = Effort(options.steps, options.tolerance, Pace(options.rate, options.decay))
        inside = options.intermediate == "optimised"
        return Optimised(graph_of(module, region.center), region, effort, inside).bounds(spec)


@hookimpl
def sparring_bound_backends() -> list[type[BoundBackend]]:
    """Give `alpha-crown`."""
    return [AlphaCrown]
