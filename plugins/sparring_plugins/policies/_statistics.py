"""Normalisation statistics of stable-baselines3, read from a pickle of which nothing is run.

A pickle names the classes and functions that it wants called. Here a name is either one of the few that make numpy's
arrays, or it stands for an inert object that only holds what is put into it; every other name ends the reading.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from sparring.errors import RequestError
from sparring_plugins.networks.normaliser import Normaliser

__all__ = ["read_statistics"]

NUMPY = ("numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric")
BUILDERS = frozenset(
    {("numpy", "dtype"), ("numpy", "ndarray")}
    | {(module, name) for module in NUMPY for name in ("_reconstruct", "scalar", "_frombuffer")}
    | {("builtins", name) for name in ("set", "frozenset", "slice", "bytearray", "complex", "range")}
    | {("collections", name) for name in ("OrderedDict", "deque")}
)
"""What may be called: each makes a plain value out of plain values."""
HOLDERS = frozenset(
    {
        ("stable_baselines3.common.vec_env.vec_normalize", "VecNormalize"),
        ("stable_baselines3.common.running_mean_std", "RunningMeanStd"),
        ("numpy.random._pickle", "__generator_ctor"),
        ("numpy.random._pickle", "__bit_generator_ctor"),
        ("numpy.random._pickle", "__randomstate_ctor"),
    }
    | {(f"{home}.spaces.{module}", name) for home in ("gymnasium", "gym") for module, name in
       (("box", "Box"), ("discrete", "Discrete"), ("multi_discrete", "MultiDiscrete"), ("multi_binary", "MultiBinary"))}
)  # fmt: skip
"""What is replaced by an object that holds its state and does nothing."""


class _Inert:
    """Takes whatever it is called with and given; does nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.held: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        parts = state if isinstance(state, tuple) else (state,)
        self.held = {str(key): value for part in parts if isinstance(part, dict) for key, value in part.items()}


def _bytes(text: str, encoding: str) -> bytes:
    """What old pickles call `_codecs.encode` for: bytes that are written as text."""
    if encoding != "latin1":
        raise ValueError(f"bytes written as {encoding!r}")
    return text.encode("latin1")


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):
            return _bytes
        if (module, name) in BUILDERS:
            return super().find_class(module, name)
        if (module, name) in HOLDERS:
            return type(name, (_Inert,), {})  # a class of this reading alone: what a pickle does to it ends with it
        raise RequestError(
            f"its pickle wants {module}.{name}, which is not among the arrays and fields of VecNormalize; "
            "only statistics that stable-baselines3 saved are read, and nothing in them is run"
        )


def read_statistics(path: Path) -> Normaliser:
    """The frozen normalisation that `VecNormalize.save` wrote.

    Raises:
        RequestError: the file is missing, is none, or names anything beyond arrays and VecNormalize's own fields.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RequestError(f"{path}: {error.strerror}") from error
    try:
        found = _Reader(io.BytesIO(content)).load()
    except RequestError as error:
        raise RequestError(f"{path}: {error}") from error
    except Exception as error:  # a damaged pickle makes numpy and pickle raise any type
        raise RequestError(f"{path}: not statistics of VecNormalize: {type(error).__name__}") from error
    try:
        return _normaliser(found)
    except (KeyError, TypeError, ValueError, AttributeError, RequestError) as error:
        raise RequestError(f"{path}: not statistics of VecNormalize: {error}") from error


def _normaliser(found: Any) -> Normaliser:
    """`clip((x - mean) / sqrt(var + epsilon), -clip_obs, clip_obs)`, as `VecNormalize.normalize_obs` computes it."""
    fields = found.held
    if not fields.get("norm_obs", True):
        raise RequestError("observations were not normalised; say normalisation=none")
    moments = fields["obs_rms"].held
    mean, variance = moments["mean"], moments["var"]
    if not isinstance(mean, np.ndarray) or not isinstance(variance, np.ndarray) or mean.dtype.kind != "f":
        raise RequestError("its moments are not arrays of numbers")
    return Normaliser(mean, np.sqrt(variance + float(fields["epsilon"])), float(fields["clip_obs"]))
