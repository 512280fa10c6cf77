"""Finished episodes on disk: appended one by one, so that whatever is stopped goes on without playing them again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from sparring.errors import RefusedError, RequestError
from sparring.policy import Policy

__all__ = ["Journal", "Played", "digest", "document_of", "versions"]

FORMAT = 1
FILE = "episodes.jsonl"
DECIDING = ("sparring", "numpy", "torch", "gymnasium", "mujoco", "ale-py")
"""Packages whose versions may change the returns of episodes."""


class Played(NamedTuple):
    """One finished episode."""

    gained: float
    """Its return."""
    length: int
    """Steps."""
    truncated: bool


class Journal:
    """The finished episodes of a folder, by what they are of and by seed. One process writes it at a time.

    Every line ends with a checksum. What follows the first line that is not whole is dropped when the journal is
    opened: a process that was killed may have left half of a line.
    """

    def __init__(self, folder: Path) -> None:
        """Open, or begin, the journal of a folder; close it by `close` or a `with` block.

        Raises:
            RequestError: the folder cannot be written to, holds a journal of another format, or another process has it.
        """
        self.folder, self._known = folder, dict[str, dict[int, Played]]()
        try:
            folder.mkdir(exist_ok=True)
            self._file = os.open(folder / FILE, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        except OSError as error:
            raise RequestError(f"resume folder {folder}: {error.strerror}") from error
        try:
            self._lock()
            self._read()
        except BaseException:
            os.close(self._file)
            raise

    def known(self, of: str, seeds: Sequence[int]) -> dict[int, Played]:
        """Episodes of these seeds that have been played, by seed."""
        found = self._known.get(of, {})
        return {seed: found[seed] for seed in seeds if seed in found}

    def add(self, of: str, seed: int, played: Played) -> None:
        """Keep a finished episode; it is on its way to the disk when this returns."""
        self._known.setdefault(of, {})[seed] = played
        self._write([of, seed, *played])

    def close(self) -> None:
        """Let other processes have it."""
        os.close(self._file)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, row: Sequence[Any] | Mapping[str, Any]) -> None:
        text = json.dumps(row)
        os.write(self._file, f"{text} {zlib.crc32(text.encode()):08x}\n".encode())

    def _read(self) -> None:
        whole = 0
        content = Path(self.folder / FILE).read_bytes()
        for line in content.splitlines(keepends=True):
            row = _checked(line)
            if row is None:
                break
            if whole == 0 and row != {"journal": FORMAT}:
                raise RequestError(f"resume folder {self.folder}: holds {FILE} of another format; choose a new folder")
            if whole > 0:
                of, seed, *played = row
                self._known.setdefault(of, {})[seed] = Played(*played)
            whole += len(line)
        if whole == 0 and content and not content.startswith(b'{"journal"'):
            raise RequestError(f"resume folder {self.folder}: its {FILE} is no journal; choose a new folder")
        os.ftruncate(self._file, whole)
        if whole == 0:
            self._write({"journal": FORMAT})

    def _lock(self) -> None:
        """Keep others out, on systems that have such locks; it ends with the process, however that ends."""
        with contextlib.suppress(ImportError):
            import fcntl

            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RequestError(f"resume folder {self.folder}: another process is working in it") from None


def _checked(line: bytes) -> Any:
    """What a line holds; None where it is not whole."""
    text, _, told = line.rstrip(b"\n").rpartition(b" ")
    if not line.endswith(b"\n") or f"{zlib.crc32(text):08x}".encode() != told:
        return None
    return json.loads(text)


def document_of(policy: Policy) -> dict[str, Any]:
    """Everything that decides what a policy does, as JSON values.

    Raises:
        RefusedError: it is, or holds, a Python function, which no document tells from another of its name.
    """
    document = policy.to_document()
    if any(part.get("kind") == "python" for part in _parts(document)):
        raise RefusedError(
            "resume: a Python function cannot be told from another of its name, so that its episodes cannot be kept; "
            "give the policy as a file"
        )
    return document


def _parts(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield document
    for part in document.get("policies", ()):
        yield from _parts(part)


def digest(*parts: Any) -> str:
    """A fingerprint of JSON values."""
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=16).hexdigest()


def versions() -> dict[str, str]:
    """Versions of what decides the returns of episodes, of what is installed."""
    found = {}
    for name in DECIDING:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
