"""Compiled games on disk: arrays with a versioned key and a checksum, rebuilt when in doubt.

A file is written beside its place and renamed into it, so that readers and other writers only ever see
whole files. Nothing is unpickled.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.extensive.game import ExtensiveGame, PlayerTree

__all__ = ["cache_file", "cache_folder", "load_cached", "store"]

_FORMAT = 1
_LOG = logging.getLogger(__name__)

Arrays = dict[str, NDArray[Any]]


def cache_folder() -> Path:
    """Return the folder named by SPARRING_CACHE, else the user's cache folder for Sparring."""
    named = os.environ.get("SPARRING_CACHE")
    if named:
        return Path(named)
    import platformdirs

    return platformdirs.user_cache_path("sparring")


def cache_file(folder: Path, name: str, key: Mapping[str, Any]) -> tuple[Path, str]:
    """Return the file for a game and the full text of its key; `key` names all that the arrays depend on."""
    text = json.dumps({"format": _FORMAT, **key}, sort_keys=True)
    digest = hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    return folder / f"{plain}-{digest}.npz", text


def load_cached(file: Path, key: str, spec: str) -> ExtensiveGame | None:
    """Return the game stored in `file` under `key`, or None if there is none that can be trusted."""
    try:
        with file.open("rb") as whole, np.load(whole, allow_pickle=False) as stored:
            arrays: Arrays = {name: stored[name] for name in stored.files}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile) as error:
        _LOG.info("%s cannot be read and will be rebuilt: %s", file, error)
        return None
    checksum = arrays.pop("checksum", np.empty(0, dtype=np.uint8))
    if not np.array_equal(checksum, _checksum(arrays)) or _text(arrays["key"]) != key:
        _LOG.info("%s is damaged or of another version and will be rebuilt", file)
        return None
    return _unpacked(arrays, spec)


def store(file: Path, key: str, game: ExtensiveGame) -> None:
    """Write `game` under `key`; a folder that cannot be written costs the next run its time, nothing else."""
    arrays = _packed(game)
    arrays["key"] = _bytes(key)
    arrays["checksum"] = _checksum(arrays)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _replace(file, arrays)
    except OSError as error:
        _LOG.warning("the compiled game is not kept: %s", error)


def _replace(file: Path, arrays: Arrays) -> None:
    handle, name = tempfile.mkstemp(prefix=file.stem, suffix=".part", dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as part:
            np.savez(part, allow_pickle=False, **arrays)
        os.replace(name, file)
    except BaseException:  # an interrupt, too, leaves no half-written file
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _packed(game: ExtensiveGame) -> Arrays:
    arrays: Arrays = {
        "row": game.row,
        "column": game.column,
        "payoff": game.payoff,
        "payoff_range": np.array(game.payoff_range),
        "zero_sum": np.array(game.zero_sum),
        "nodes": np.array(game.nodes, dtype=np.int64),
    }
    for seat, tree in enumerate(game.trees):
        texts = [name.encode() for name in tree.infosets]
        arrays[f"infosets{seat}"] = _bytes(b"".join(texts))
        arrays[f"lengths{seat}"] = np.array([len(text) for text in texts], dtype=np.uint32)
        arrays |= {f"offset{seat}": tree.offset, f"parent{seat}": tree.parent, f"action{seat}": tree.action}
    return arrays


def _unpacked(arrays: Arrays, spec: str) -> ExtensiveGame:
    (low0, high0), (low1, high1) = arrays["payoff_range"].tolist()
    return ExtensiveGame(
        spec=spec,
        trees=(_tree(arrays, 0), _tree(arrays, 1)),
        row=arrays["row"],
        column=arrays["column"],
        payoff=arrays["payoff"],
        payoff_range=((low0, high0), (low1, high1)),
        zero_sum=bool(arrays["zero_sum"]),
        nodes=int(arrays["nodes"]),
    )


def _tree(arrays: Arrays, seat: int) -> PlayerTree:
    joined = arrays[f"infosets{seat}"].tobytes()
    ends = np.cumsum(arrays[f"lengths{seat}"], dtype=np.int64).tolist()
    names = tuple([joined[a:b].decode() for a, b in zip([0, *ends], ends, strict=False)])
    return PlayerTree(names, arrays[f"offset{seat}"], arrays[f"parent{seat}"], arrays[f"action{seat}"])


def _checksum(arrays: Arrays) -> NDArray[np.uint8]:
    """Digest names, types, shapes and contents."""
    digest = hashlib.blake2b(digest_size=32)
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape};".encode())
        digest.update(array.data if array.size else b"")
    return np.frombuffer(digest.digest(), dtype=np.uint8)


def _bytes(text: str | bytes) -> NDArray[np.uint8]:
    return np.frombuffer(text.encode() if isinstance(text, str) else text, dtype=np.uint8)


def _text(array: NDArray[Any]) -> str:
    return array.tobytes().decode(errors="replace")
