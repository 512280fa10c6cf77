"""Where the machine code of the kernels is kept between runs.

numba notices that the file of a cached function has changed, but not that a file it calls into has: code
compiled against an older table of slots would read wild addresses. So the kernels have a folder of
their own, named after the text of all the files that they are made of.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

__all__ = ["cache_folder", "caching"]

SOURCES = (
    "cfr_kernels.py", "jit.py", "kernels.py", "simplex_kernels.py", "slots.py", "tiles.py",
)  # fmt: skip


@cache
def cache_folder(sources: tuple[Path, ...] | None = None) -> Path:
    """Return the folder for kernels made of these files as they are now; by default those of trees.

    It lies in `NUMBA_CACHE_DIR` if that is set, else beside the sources or in the user's cache, and in a
    new temporary folder where none of these can be written.
    """
    if sources is None:
        sources = tuple(Path(__file__).parent / name for name in SOURCES)
    here = sources[0].parent
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.read_bytes())
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    user = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "sparring"
    places = [Path(chosen)] if chosen else [here / "__pycache__", user]
    for place in places:
        folder = place / f"kernels-{digest.hexdigest()[:16]}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    return Path(tempfile.mkdtemp(prefix="sparring-kernels-"))


@contextmanager
def caching(sources: tuple[Path, ...] | None = None) -> Iterator[None]:
    """Let numba place the cache of functions decorated inside into the `cache_folder` of these files."""
    from numba import config

    before = config.CACHE_DIR
    config.CACHE_DIR = str(cache_folder(sources))
    try:
        yield
    finally:
        config.CACHE_DIR = before
