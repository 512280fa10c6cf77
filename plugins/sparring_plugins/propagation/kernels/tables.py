"""What the columns of a program's tables mean; see `programs`, which fills them, and `kernels.running`."""

from __future__ import annotations

__all__ = [
    "ABOVE", "ACROSS", "APART", "ASIDE", "BACK", "BEHIND", "BIAS", "BOX", "BOX_ON", "CENTRED", "CHANNELS", "CHOSEN",
    "COLUMNS", "CONVOLUTION", "CURVE", "DEPTHS", "FILTERS", "FIRST", "HIGH", "INPUT", "KERNEL_HIGH", "KERNEL_WIDE",
    "KIND", "LANES", "LINEAR", "LINES", "MEAN", "MORE", "NORMS", "OUT_HIGH", "OUT_WIDE", "PACKED", "PANELS", "RELU",
    "ROWS", "ROWS_ON", "SECOND", "SIGMOID", "SIZE", "STEP", "STRIDE_HIGH", "STRIDE_WIDE", "SUM", "SUMS", "TANH",
    "THERE", "TIGHTENED", "TURNED", "UNSURE", "WIDE",
]  # fmt: skip

INPUT, LINEAR, CONVOLUTION, SUM, MEAN, CENTRED, RELU, TANH, SIGMOID = range(9)
"""Kinds of steps; those from `CURVE` on are curves."""
CURVE = RELU

(
    KIND, FIRST, SECOND, SIZE, STEP, BOX, LINES, ROWS, UNSURE, TIGHTENED, BIAS, PACKED, TURNED, NORMS, THERE, BACK,
) = range(16)  # fmt: skip
"""Whole numbers of a step.

kind, the steps that it takes, its elements, and those up to the next row of coefficients. Then where in the work space
its boxes, lines and rows lie; whether rows that pass add the error of an affine step (its lines hold it otherwise);
which of its units are bounded backward (0 none, 1 those whose sign is open, 2 all); and where a bias for each element
lies, a matrix with its lines further apart, and one turned round, with the norms of its
lines (-1 for none). Last, which of the program's places are
those of the lines of the matrix that a product on the way there, and on the way back, is taken with.
"""
(
    CHANNELS, HIGH, WIDE, FILTERS, OUT_HIGH, OUT_WIDE, KERNEL_HIGH, KERNEL_WIDE, STRIDE_HIGH, STRIDE_WIDE, ABOVE, ASIDE,
) = range(16, 28)  # fmt: skip
"""More of a convolution: its input, output, kernel, strides, and padding. What is packed are its filters' sizes, and
what is turned the filters split by strides."""
BOX_ON, ROWS_ON, BEHIND, APART, PANELS, SUMS, ACROSS, DEPTHS = range(28, 36)
"""More where there will be a way back (see `row_plans`); 0 elsewhere.

By how many numbers boxes move on with each block of samples, and rows with each sample. Where boxes of all samples are
kept behind a curve (0 for nowhere), and how far apart these lines lie, and those of gradients at a step. For a linear
step where its matrix lies in panels, where sums over samples, whether these are taken for the matrix turned round, and
which of the places are those of the lines that they are taken of.
"""
CHOSEN = 36
"""Where rows of chosen units stand, of a ReLU between two linear steps that stands alone on the one below; else -1."""
COLUMNS = 37
MORE = 2
"""Columns of a matrix beyond full registers that are as quick one by one."""
LANES = 64
"""Bytes of the widest registers: rows of coefficients, and lines of packed matrices, begin a multiple of it apart."""
