"""Files that are whole or absent: written beside their place, then renamed onto it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sparring.errors import RequestError

__all__ = ["write_text", "write_whole"]


@contextmanager
def write_whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a stream that becomes `path` when the block ends well, and leaves nothing when it does not.

    Raises:
        RequestError: the folder does not exist or cannot be written to, or a folder has that name.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise RequestError(f"cannot write {path}: {error.strerror}") from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        try:
            temporary.replace(path)
        except OSError as error:
            raise RequestError(f"cannot write {path}: {error.strerror}") from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a whole text file in UTF-8."""
    with write_whole(path) as stream:
        stream.write(text.encode())
