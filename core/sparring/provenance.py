"""Where a result comes from: versions, plugins with a hash of their files, seed, command, time."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution, version
from pathlib import Path

from sparring.document import PluginRecord, Provenance
from sparring.errors import RequestError
from sparring.registry import Registry

__all__ = ["Clock", "record_plugins"]

PACKAGES = (
    "numpy", "scipy", "numba", "open_spiel", "torch", "gymnasium", "mujoco", "ale-py", "pettingzoo", "optuna",
)  # fmt: skip


class Clock:
    """Measures one piece of work and describes what it ran on."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._started = datetime.now(UTC)

    def provenance(self, plugins: Iterable[PluginRecord], seed: int, command: str | None) -> Provenance:
        """Describe the work from the making of this clock until now."""
        return Provenance(
            sparring=version("sparring"),
            python=platform.python_version(),
            platform=f"{sys.platform}-{platform.machine()}",
            packages=_loaded_packages(),
            plugins=list(plugins),
            seed=seed,
            command=command,
            started=self._started.isoformat(timespec="seconds"),
            seconds=time.perf_counter() - self._began,
        )


def record_plugins(registry: Registry, used: Iterable[tuple[str, str]]) -> list[PluginRecord]:
    """Describe the plugins that took part; unregistered ones are left to say so.

    Args:
        registry: where they came from.
        used: kind and name of each; a name may have its distribution before a colon, and `python` where code made it.
    """
    records = []
    for kind, given in sorted(set(used)):  # one plugin may be named with its distribution and without
        distributor, _, name = given.rpartition(":")
        try:
            entry = registry.find(kind, name, distributor or None)
        except RequestError:
            records.append(PluginRecord(name=name, kind=kind, distribution=None, version=None, sha256=None))
            continue
        sha = files_hash(entry.distribution) if entry.file is None else entry.sha256
        records.append(
            PluginRecord(name=name, kind=kind, distribution=entry.distribution, version=entry.version, sha256=sha)
        )
    return [record for place, record in enumerate(records) if record not in records[:place]]


@cache
def files_hash(name: str) -> str | None:
    """SHA-256 over a distribution's installed files, by path; None for editable installs."""
    try:
        installed = distribution(name)
    except PackageNotFoundError:
        return None
    if _editable(installed) or installed.files is None:
        return None
    digest = hashlib.sha256()
    for file in sorted(installed.files, key=str):
        if "__pycache__" in file.parts or file.parts[0].endswith(".dist-info"):
            continue
        path = Path(str(file.locate()))
        if path.is_file():
            digest.update(str(file).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _editable(installed: Distribution) -> bool:
    text = installed.read_text("direct_url.json")
    return bool(text and json.loads(text).get("dir_info", {}).get("editable"))


def _loaded_packages() -> dict[str, str]:
    """Versions of the libraries that results depend on, of those that are installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
