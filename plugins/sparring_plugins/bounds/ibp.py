"""Interval bound propagation."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sparring import hookimpl
from sparring.bounds import BoundBackend, Region

if TYPE_CHECKING:
    from torch import Tensor, nn


class Ibp(BoundBackend):
    """A box passes from layer to layer: the fastest bounds, and the loosest."""

    name: ClassVar[str] = "ibp"
    summary: ClassVar[str] = "interval bound propagation: a box from layer to layer, fast and loose"
    source: ClassVar[str] = "Gowal et al. 2018, section 3; thesis, section 5.2.3"
    interface: ClassVar[int] = 1

    def bound(self, module: nn.Module, region: Region, spec: Tensor | None) -> tuple[Tensor, Tensor]:
        """Propagate the box around the region; `spec` is merged into the affine operations at the end."""
        from sparring_plugins.propagation.intervals import propagated

        return propagated(module, region, spec)


@hookimpl
def sparring_bound_backends() -> list[type[BoundBackend]]:
    """Give `ibp`."""
    return [Ibp]
