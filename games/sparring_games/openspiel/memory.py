"""How much memory a compilation may take on this machine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from sparring.errors import RequestError

__all__ = ["available_bytes", "named_bytes"]

_UNKNOWN = 4 << 30


def available_bytes() -> int:
    """Return the least of what system, control group and process limits leave; 4 GiB where none tells."""
    return min(_limits(), default=_UNKNOWN)


def named_bytes() -> int | None:
    """Return what SPARRING_MEMORY allows, which is in gigabytes, or None where it is not set.

    Raises:
        RequestError: it is not a number above 0.
    """
    named = os.environ.get("SPARRING_MEMORY")
    if not named:
        return None
    try:
        allowed = int(float(named) * 1e9)
    except (ValueError, OverflowError):
        allowed = 0
    if allowed < 1:
        raise RequestError(f"SPARRING_MEMORY={named}: gigabytes that compiling may take, a number above 0 like 2.5")
    return allowed


def _limits() -> Iterator[int]:
    with contextlib.suppress(OSError, ValueError, IndexError):  # not Linux
        lines = Path("/proc/meminfo").read_text().splitlines()
        yield next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    with contextlib.suppress(OSError, ValueError):  # no control group, or no limit: the file says "max"
        group = Path("/sys/fs/cgroup")
        yield int((group / "memory.max").read_text()) - int((group / "memory.current").read_text())
    with contextlib.suppress(OSError, ValueError, AttributeError):  # not POSIX
        yield os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(ImportError):  # not POSIX
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_AS)
        if soft != resource.RLIM_INFINITY:
            yield soft
