"""Tensors as torch stores them, read without running what else a file may hold; imported only where torch is needed."""

from __future__ import annotations

import warnings
from typing import Any, BinaryIO

import torch

__all__ = ["stored"]


def stored(stream: BinaryIO) -> Any:
    """What is stored, if it is made of tensors; torch raises any of many errors for what it refuses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it thinks of a stranger's file is said by what it gives
        return torch.load(stream, map_location="cpu", weights_only=True)
