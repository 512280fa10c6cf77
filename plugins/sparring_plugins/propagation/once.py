"""Gradients of compiled loops, which have none themselves: whoever asks for those is told."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor

__all__ = ["once"]


def once(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate the way back of an operation that can be gone once.

    Where there is to be a graph of the gradients, they depend in it on all that they were made of: on gradients that
    were given, as with `torch.autograd.function.once_differentiable`, and on what was saved as well. Gradients in any
    of these raise; with that decorator they would be zero.
    """

    @wraps(backward)
    def wrapper(ctx: Any, *given: Any) -> Any:
        with torch.no_grad():
            found = backward(ctx, *given)
        if not torch.is_grad_enabled():
            return found
        parts = found if isinstance(found, tuple) else (found,)
        made_of = [part for part in (*given, *ctx.saved_tensors) if isinstance(part, Tensor) and part.requires_grad]
        some = [part for part in parts if part is not None]
        if not some or not made_of:
            return found
        marked = iter(_Marked.apply(len(some), *some, *made_of))
        return tuple(None if part is None else next(marked) for part in parts)

    return wrapper


class _Marked(torch.autograd.Function):
    """The first so many tensors, whose gradients raise."""

    @staticmethod
    def forward(ctx: Any, count: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        return tuple(part.view_as(part) for part in tensors[:count])

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> Any:
        raise RuntimeError("gradients of these bounds have no gradients themselves; take `ibp` or `forward` for those")
