"""Archives of stable-baselines3, read without running what is pickled in them: JSON text, and tensors weights-only."""

from __future__ import annotations

import io
import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.errors import RequestError
from sparring_plugins.networks.engine import engine

__all__ = ["Archive", "read_archive"]

LARGEST = 4 << 30
"""Bytes that a member may unpack to."""


@dataclass(frozen=True, eq=False)
class Archive:
    """What can be read without code: who it is, and its tensors."""

    home: str
    """Module of the policy's class, such as `stable_baselines3.common.policies`."""
    activation: str | None
    """Name of the activation function's class in torch, in lower case; None where it is the usual one."""
    squashed: bool
    tensors: dict[str, NDArray[Any]]
    """State of the policy by name."""


def read_archive(path: Path) -> Archive:
    """Read an archive.

    Raises:
        RequestError: it is missing, damaged, or no archive of stable-baselines3.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            data = json.loads(_member(archive, "data", path))
            weights = _member(archive, "policy.pth", path)
    except OSError as error:
        raise RequestError(f"{path}: {error.strerror or error}") from error
    except (zipfile.BadZipFile, ValueError, RuntimeError, NotImplementedError, RecursionError, EOFError) as error:
        raise RequestError(f"{path}: not an archive of stable-baselines3: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("policy_class"), dict):
        raise RequestError(f"{path}: not an archive of stable-baselines3: its data name no policy_class")
    # A field that JSON cannot hold stands there as a pickle beside its parts in words; the words are all we read.
    words = data.get("policy_kwargs")
    told = words if isinstance(words, dict) else {}
    named = re.search(r"\.(\w+)'>\Z", str(told.get("activation_fn", "")))
    return Archive(
        home=str(data["policy_class"].get("__module__")),
        activation=None if named is None else named[1].lower(),
        squashed=str(told.get("squash_output", False)) == "True",
        tensors=_tensors(weights, path),
    )


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    try:
        entry = archive.getinfo(name)
    except KeyError:
        raise RequestError(f"{path}: not an archive of stable-baselines3: it holds no {name!r}") from None
    if entry.file_size > LARGEST:
        raise RequestError(f"{path}: {name!r} unpacks to {entry.file_size:,} bytes, more than {LARGEST:,}")
    return archive.read(name)


def _tensors(content: bytes, path: Path) -> dict[str, NDArray[Any]]:
    torch = engine(str(path))
    from sparring_plugins.networks.stored import stored

    try:
        state = stored(io.BytesIO(content))
    except Exception as error:  # torch raises any of many types for what it refuses
        raise RequestError(
            f"{path}: its policy.pth holds more than tensors, which would run code to load: {type(error).__name__}"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(each, torch.Tensor) for each in state.values()):
        raise RequestError(f"{path}: its policy.pth is not the state of a policy")
    return {str(name): np.asarray(each.detach().numpy()) for name, each in state.items()}
