"""Whether two things are the same, bit for bit: games, policies, answers, compared by what they are made of."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

import numpy as np
from scipy import sparse

__all__ = ["fingerprint"]


def fingerprint(thing: object) -> str:
    """A digest of everything that a value holds; two values with one digest are the same bit for bit.

    Arrays count with shape and type, dataclasses with their fields, torch modules and tensors with their numbers.

    Raises:
        TypeError: something in it has no content that could be compared.
    """
    digest = hashlib.sha256()
    _take(thing, digest)
    return digest.hexdigest()


def _take(thing: Any, digest: Any) -> None:
    digest.update(f"<{type(thing).__name__}>".encode())
    if thing is None or isinstance(thing, str | bytes | bool | int | Enum):
        digest.update(repr(thing).encode())
    elif isinstance(thing, float):
        digest.update(float(thing).hex().encode())
    elif isinstance(thing, np.ndarray | np.generic):
        array = np.ascontiguousarray(thing)
        digest.update(f"{array.dtype.str}{array.shape}".encode() + array.tobytes())
    elif isinstance(thing, sparse.csr_array):
        _all((thing.data, thing.indices, thing.indptr, thing.shape), digest)
    elif isinstance(thing, Mapping):
        _all((item for key in thing for item in (key, thing[key])), digest)
    elif isinstance(thing, set | frozenset):
        _all(sorted(thing, key=repr), digest)
    elif isinstance(thing, Sequence):
        _all(thing, digest)
    elif dataclasses.is_dataclass(thing):
        _all((item for field in dataclasses.fields(thing) for item in (field.name, getattr(thing, field.name))), digest)
    elif hasattr(thing, "detach"):  # a tensor of torch, which is not imported for the sake of asking
        _take(thing.detach().cpu().numpy(), digest)
    elif hasattr(thing, "state_dict"):
        _take(dict(thing.state_dict()), digest)
        digest.update(str(thing.training).encode())
    else:
        _take(_content(thing), digest)


def _content(thing: Any) -> Any:
    """What things that describe themselves say."""
    for describe in ("model_dump", "to_document"):
        if hasattr(thing, describe):
            return getattr(thing, describe)()
    raise TypeError(f"a {type(thing).__name__} has no content to compare")


def _all(parts: Any, digest: Any) -> None:
    for part in parts:
        _take(part, digest)
    digest.update(b"/")
