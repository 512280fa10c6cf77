"""What the columns of the table of a run's layers mean; see `passing`, which fills it, and `kernels.panels`."""

from __future__ import annotations

__all__ = [
    "BIAS", "COLUMNS", "CURVE", "INPUTS", "KEPT", "MORE", "OUTPUTS", "PACKED", "PARTS", "RELU", "SIGMOID", "STEP",
    "SUM", "TANH", "TO_BIAS", "TO_STEP", "TO_WEIGHT", "WEIGHT",
]  # fmt: skip

INPUTS, OUTPUTS, CURVE, STEP, TO_STEP, KEPT, PACKED, SUM, WEIGHT, BIAS, TO_WEIGHT, TO_BIAS, MORE = range(13)
"""Of a layer: its sizes and its curve (0 for none); how far apart lines of its inputs begin, and those of outputs;
where among what is kept the box behind it lies, and in the work space its weight for products, and sums over pieces of
gradients in it, for centres and for reaches; the addresses of weight and bias, and of gradients in them, and of more
gradients in the ends behind the layer, before its curve, [2, batch, outputs] (0 for none)."""
COLUMNS = 13
RELU, TANH, SIGMOID = 1, 2, 3
"""Curves."""
PARTS = 6
"""Of the work space, each as large as a piece at the widest layer."""
