"""Tensors as JSON values, bit for bit."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["tensors_document", "tensors_of"]

TYPES = ("float64", "float32", "float16", "int64", "int32", "uint8", "bool")


def tensors_document(tensors: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Each tensor as its type, its shape and its little-endian bytes in base 64."""
    return {
        name: {
            "dtype": str(array.dtype),
            "shape": list(array.shape),
            "bytes": base64.b64encode(
                np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()
            ).decode(),
        }
        for name, array in tensors.items()
    }


def tensors_of(document: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """The tensors of such a document.

    Raises:
        KeyError: a part is missing.
        ValueError: a type that tensors do not have, or bytes that do not fill the shape.
    """
    found = {}
    for name, part in document.items():
        if part["dtype"] not in TYPES:
            raise ValueError(f"tensor {name!r} has type {part['dtype']!r}")
        kind = np.dtype(part["dtype"])
        flat = np.frombuffer(base64.b64decode(part["bytes"], validate=True), dtype=kind.newbyteorder("<"))
        found[name] = flat.astype(kind).reshape(part["shape"])
    return found
