"""The portable pair of a trained agent: NAME.safetensors has its numbers, NAME.json says what they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.errors import RequestError
from sparring.files import write_text, write_whole
from sparring_plugins.networks.engine import tensor_files
from sparring_plugins.networks.policy import NetworkPolicy

__all__ = ["read_pair", "write_pair"]

CHECKSUM = "tensors_sha256"
"""Where the JSON says which tensors it belongs to, so that halves of two pairs are never taken for one."""


def read_pair(path: Path) -> NetworkPolicy:
    """The policy of a pair, of which `path` names either half; nothing in it is ever run.

    Raises:
        RequestError: a half is missing or damaged, they belong to different pairs, or do not fit one another.
    """
    base = path.with_suffix("")
    told = _description(base.with_name(base.name + ".json"))
    numbers = base.with_name(base.name + ".safetensors")
    content = _content(numbers)
    checksum = told.get(CHECKSUM)
    if checksum is not None and checksum != hashlib.sha256(content).hexdigest():
        raise RequestError(f"{numbers}: its checksum is not the one that {base.name}.json states; copy both files anew")
    try:
        return NetworkPolicy({"name": base.name, **told}, _tensors(content, numbers))
    except RequestError as error:
        raise RequestError(f"{numbers}: {error}") from error


def write_pair(policy: NetworkPolicy, path: Path) -> None:
    """Write a policy as a pair; each half is whole or absent, and the JSON, which completes it, comes last.

    Args:
        policy: what is read again is the same bit for bit, short of `action_limits`, which the game gives.
        path: either half.

    Raises:
        RequestError: it cannot be written.
    """
    base = path.with_suffix("")
    packed = {name: np.ascontiguousarray(array) for name, array in policy.tensors.items()}
    content: bytes = tensor_files(str(path)).save(packed)
    told = {**policy.description, CHECKSUM: hashlib.sha256(content).hexdigest()}
    text = json.dumps(told, indent=1, allow_nan=False) + "\n"
    with write_whole(base.with_name(base.name + ".safetensors")) as stream:
        stream.write(content)
    write_text(base.with_name(base.name + ".json"), text)


def _description(path: Path) -> Mapping[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RequestError(f"{path}: missing; it says what the tensors beside it are") from error
    except OSError as error:
        raise RequestError(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{path}: not JSON: {error}") from error
    if not isinstance(told, Mapping):
        raise RequestError(f"{path}: not the description of a network")
    return told


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RequestError(f"{path}: {error.strerror}") from error


def _tensors(content: bytes, path: Path) -> dict[str, NDArray[Any]]:
    files = tensor_files(str(path))
    try:
        found: dict[str, NDArray[Any]] = files.load(content)
    except Exception as error:  # a damaged header makes the reader raise any of a dozen types
        raise RequestError(f"{path}: not a safetensors file ({type(error).__name__}: {error})") from error
    return found
