"""States of worlds as bytes, and back without running what a stranger may have put there.

A world's state is of its own making, so it is pickled. A pickle may name any function of any module to be called when
it is read; here only what makes arrays, generators and simulator states is, and the rest asks for the user's consent.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

from sparring.errors import RequestError
from sparring.trust import require_trust

__all__ = ["packed", "unpacked"]

PLAIN = frozenset(
    {
        ("numpy", "dtype"), ("numpy", "ndarray"), ("numpy._core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "scalar"), ("numpy._core.numeric", "_frombuffer"),
        ("numpy.core.multiarray", "_reconstruct"), ("numpy.core.multiarray", "scalar"),
        ("numpy.random._pickle", "__generator_ctor"), ("numpy.random._pickle", "__bit_generator_ctor"),
        ("numpy.random._pcg64", "PCG64"), ("numpy.random._philox", "Philox"),
        ("numpy.random.bit_generator", "SeedSequence"), ("numpy.random.bit_generator", "__pyx_unpickle_SeedSequence"),
        ("numpy.random.bit_generator", "__pyx_unpickle_SeedlessSequence"),
        ("collections", "deque"), ("collections", "OrderedDict"), ("copyreg", "_reconstructor"),
        ("builtins", "object"), ("builtins", "set"), ("builtins", "frozenset"), ("builtins", "bytearray"),
        ("builtins", "slice"), ("builtins", "complex"),
        ("mujoco._structs", "MjData"), ("mujoco._structs", "MjModel"), ("ale_py._ale_py", "ALEState"),
        ("ale_py", "ALEState"),
    }
)  # fmt: skip
"""Functions and classes that hold numbers and do nothing else."""
OWN = "sparring.simulated."
"""Classes of these modules hold what worlds keep."""


def packed(state: Any) -> bytes:
    """A world's state as bytes.

    Raises:
        RequestError: something in it cannot be pickled.
    """
    try:
        return pickle.dumps(state, protocol=5)
    except Exception as error:  # what a world holds may raise anything here
        raise RequestError(f"ppo: this world's state cannot be written: {type(error).__name__}: {error}") from error


def unpacked(content: bytes, path: Path) -> Any:
    """The state again.

    Raises:
        RequestError: it is damaged, or wants code that the user has not consented to.
    """
    try:
        return _Reader(io.BytesIO(content), path).load()
    except RequestError:
        raise
    except Exception as error:  # a damaged pickle raises anything
        raise RequestError(f"{path}: the world's state is damaged: {type(error).__name__}: {error}") from error


class _Reader(pickle.Unpickler):
    """Finds nothing but what is known to be harmless, or consented to."""

    def __init__(self, stream: io.BytesIO, path: Path) -> None:
        super().__init__(stream)
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in PLAIN:
            return super().find_class(module, name)
        if module.startswith(OWN):
            found = super().find_class(module, name)
            if isinstance(found, type) and found.__module__ == module:
                return found
        require_trust(f"file:{self._path}", f"the world's state in it names {module}.{name}")
        return super().find_class(module, name)
