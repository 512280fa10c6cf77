"""Settings of torch under which single precision has fewer digits than its type says."""

from __future__ import annotations

import torch
from torch import Tensor

from sparring.errors import RefusedError
from sparring_plugins.propagation.affine import Conv
from sparring_plugins.propagation.graph import Graph

__all__ = ["check_precision"]


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
    if torch.get_float32_matmul_precision() != "highest":
        raise RefusedError(
            "bounds: products of float32 are set to fewer digits; "
            "call torch.set_float32_matmul_precision('highest') or convert the module to float64"
        )
    if like.device.type == "cuda" and torch.backends.cudnn.allow_tf32 and _convolves(graph):
        raise RefusedError(
            "bounds: convolutions of float32 may run in TF32 on this device; "
            "set torch.backends.cudnn.allow_tf32 = False or convert the module to float64"
        )


def _convolves(graph: Graph) -> bool:
    return any(isinstance(node, Conv) for node in graph.nodes)
