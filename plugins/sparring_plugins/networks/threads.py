"""How many threads torch may take for a network; imported only where torch is needed.

Sharing a product of a few thousand numbers among threads costs more than it saves, and on a machine that others use
as well each thread waits for the slowest: a step of a small policy was measured 60 times slower on two threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import nn

__all__ = ["threads_for", "work_of"]

WORTH_SHARING = 1 << 22
"""Multiplications from which threads are worth their price."""
AS_THEY_ARE = nullcontext()


def work_of(network: nn.Module) -> int:
    """Numbers in a network, about as many as it multiplies for one input."""
    return sum(part.numel() for part in network.parameters())


def threads_for(work: int) -> AbstractContextManager[None]:
    """One thread where there is little work (in multiplications), all of them where there is much."""
    usual = torch.get_num_threads()
    return AS_THEY_ARE if work >= WORTH_SHARING or usual == 1 else _alone(usual)


@contextmanager
def _alone(usual: int) -> Iterator[None]:
    """One thread, and the usual number of them afterwards."""
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(usual)
