"""ReLU, the kink that most networks are made of, in as few tensor operations as it takes."""

from __future__ import annotations

import torch
from torch import Tensor

from sparring_plugins.propagation.ends import Ends

from .curve import Curve, Lines, known_choice
from .rounding import rounding

__all__ = ["ReLU"]


class ReLU(Curve):
    """`max(x, 0)`. Upper line: the chord; lower line: through the origin, with any slope in [0, 1] where unstable.

    Source: Zhang et al., CROWN (thesis 3.1.4, tables 3.1 and 3.2); the adaptive slope has the smaller area.
    """

    def value(self, x: Tensor) -> Tensor:
        """`torch.relu(x)`."""
        return torch.relu(x)

    def image(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """ReLU of the ends."""
        return torch.relu(low), torch.relu(high)

    def error(self, low: Tensor, high: Tensor) -> float:
        """Zero: a comparison does not round."""
        return 0.0

    def at_ends(self, both: Tensor) -> Ends:
        """As `image`."""
        return Ends(torch.relu(both))

    def lines(self, low: Tensor, high: Tensor, choice: str = "adaptive") -> Lines:
        """`adaptive`: lower slope 1 if `high > -low`, else 0. `zero` and `one` leave stable neurons exact."""
        share, slope, intercept = _chord(low, high)
        if choice == "adaptive":
            lower = share.round()  # a half goes to the even 0: 1 exactly if high > -low
        elif choice == "same":
            lower = slope
        elif choice == "zero":
            lower = share.floor()
        else:
            known_choice(choice)
            lower = share.ceil()
        return Lines(lower, torch.zeros_like(low), slope, intercept)

    def start(self, low: Tensor, high: Tensor) -> Tensor:
        """The adaptive lower slope; the upper line has no freedom."""
        share, _, _ = _chord(low, high)
        return torch.stack((share.round(), torch.zeros_like(low)))

    def free_lines(self, low: Tensor, high: Tensor, alpha: Tensor) -> Lines:
        """Lower slope `alpha[0]` where unstable; `alpha[1]` has no effect."""
        share, slope, intercept = _chord(low, high)
        lower = torch.clamp(alpha[0], share.floor(), share.ceil())  # 0 or 1 where stable
        return Lines(lower, torch.zeros_like(low), slope.expand_as(lower), intercept.expand_as(lower))


def _chord(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Share of the interval above zero; slope and intercept of a line above the chord by no more than rounding.

    Share and slope are exactly 1 (0) and the intercept exactly 0 where `low >= 0` (`high <= 0`).
    """
    r = rounding(low.dtype, low.device)
    above, below = torch.relu(high), torch.minimum(low, r.zero)
    share = above / torch.maximum(above - below, r.tiny)
    # The width and the quotient round by half a spacing each. With a slope not less than the true share, the line
    # slope * (x - below) is above both ends as soon as its intercept is rounded up.
    slope = torch.minimum(share * r.up, r.one)
    return share, slope, -(below * slope * r.up)
