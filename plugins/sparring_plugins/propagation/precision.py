"""Settings of torch under which single precision has fewer digits than its type says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sparring.errors import RefusedError
from sparring_plugins.propagation.affine import Conv
from sparring_plugins.propagation.graph import Graph

__all__ = ["check_precision"]

WHOLE = frozenset({"none", "ieee"})
"""What settings say where nothing is left out."""


def check_precision(graph: Graph, like: Tensor) -> None:
    """Refuse to bound where products are not taken in the precision of the network's own type.

    The widening for rounding holds for IEEE arithmetic; TF32, bfloat16 products and autocast err thousands of times
    as much.

    Raises:
        RefusedError: the line names the setting and what to do.
    """
    if torch.is_autocast_enabled(like.device.type):
        raise RefusedError("bounds: autocast is on, so that products are not taken in the network's own precision")
    if like.dtype != torch.float32:
        return
    if _shortened(like.is_cuda):
        raise RefusedError(
            "bounds: products of float32 are set to fewer digits; "
            "call torch.set_float32_matmul_precision('highest') or convert the module to float64"
        )
    if like.is_cpu and not (_setting("mkldnn", "matmul") in WHOLE and _setting("mkldnn", "conv") in WHOLE):
        raise RefusedError(
            "bounds: products of float32 in oneDNN are set to fewer digits; set torch.backends.mkldnn.fp32_precision "
            "and that of its matmul and conv to 'ieee' or convert the module to float64"
        )
    if like.is_cuda and _shortened_convolutions() and _convolves(graph):
        raise RefusedError(
            "bounds: convolutions of float32 may run in TF32 on this device; "
            "set torch.backends.cudnn.allow_tf32 = False or convert the module to float64"
        )


@dataclass(frozen=True)
class _Whole:
    """Settings of versions of torch that have none."""

    fp32_precision: str = "none"


def _public(_: str, operation: str) -> str:
    found: Any = getattr(torch.backends.mkldnn, operation, _Whole())
    return str(found.fp32_precision)


_setting: Callable[[str, str], str] = getattr(torch._C, "_get_fp32_precision_getter", _public)
"""What `torch.backends.mkldnn` asks as well, by way of several calls of Python."""


# Torch refuses to tell an older setting where the newer one, of the second case each, was used for a part of it.


def _shortened(cuda: bool) -> bool:
    try:
        return torch.get_float32_matmul_precision() != "highest"
    except RuntimeError:
        now: str = torch.backends.cuda.matmul.fp32_precision
        return cuda and now not in WHOLE


def _shortened_convolutions() -> bool:
    try:
        return bool(torch.backends.cudnn.allow_tf32)
    except RuntimeError:
        convolutions: Any = getattr(torch.backends.cudnn, "conv", _Whole())
        return convolutions.fp32_precision not in WHOLE


def _convolves(graph: Graph) -> bool:
    return any(isinstance(node, Conv) for node in graph.nodes)
