"""Finds auto_LiRPA, and lets it in without what it does to its surroundings."""

from __future__ import annotations

import importlib
import importlib.util
import io
import logging
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import torch

from sparring.errors import MissingError, RefusedError

__all__ = ["library", "quietly"]

OLDEST = (0, 6)
REMEDY = (
    "install 0.6 or later from its repository, github.com/Verified-Intelligence/auto_LiRPA; "
    "the 0.3 of 2022 that package indexes offer is too old"
)
LOGGER = "auto_LiRPA"
DEEPEST = 10_000
"""How deep its calls may go, one or two a node; it asks for a hundred times that, for which no stack is enough."""


def library() -> Any:
    """The module `auto_LiRPA`, imported when first asked for.

    Raises:
        RefusedError: it is not installed, too old (which is seen before it is imported), or cannot be imported.
    """
    found = sys.modules.get("auto_LiRPA")
    if found is None:
        place = importlib.util.find_spec("auto_LiRPA")
        if place is None or place.origin is None:
            raise MissingError(f"bounds auto-lirpa: auto_LiRPA is not installed; {REMEDY}")
        _check(_written_version(Path(place.origin)))
        found = _imported()
    else:
        _check(str(getattr(found, "__version__", "")))
    return found


def _written_version(package: Path) -> str:
    """What the package says of its version, read without running it: an old one may not even import."""
    stated = re.search(r"^__version__\s*=\s*['\"]([^'\"]+)", package.read_text(encoding="utf-8"), re.MULTILINE)
    return stated[1] if stated is not None else ""


def _check(version: str) -> None:
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers < OLDEST:
        raise MissingError(f"bounds auto-lirpa: auto_LiRPA {version or 'of no version'} is installed; {REMEDY}")


def _imported() -> Any:
    """Import it; what it sets for everybody is as before: the root logger, filters of warnings, the depth of calls."""
    root = logging.getLogger()
    handlers, level, deepest = root.handlers[:], root.level, sys.getrecursionlimit()
    try:
        # Recorded rather than ignored: it sets filters of its own on the way, and what it did is undone at the end.
        with warnings.catch_warnings(record=True), redirect_stdout(io.StringIO()), torch.random.fork_rng(devices=[]):
            return importlib.import_module("auto_LiRPA")
    except Exception as error:
        cause = " ".join(str(error).split())
        raise RefusedError(f"bounds auto-lirpa: auto_LiRPA is installed but its import fails: {cause}") from error
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        sys.setrecursionlimit(deepest)


class _Refusals(logging.Handler):
    """Collects the operations that it says, in its log alone, it has no rule for."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.operations: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Take note of the operation, if the record is of one."""
        for argument in record.args if isinstance(record.args, tuple) else ():
            operation = getattr(argument, "op", None)
            if isinstance(operation, str) and operation not in self.operations:
                self.operations.append(operation)


@contextmanager
def quietly(dtype: torch.dtype) -> Iterator[list[str]]:
    """Keep what it prints, logs and warns of to itself; what it needs or sets for all of torch is as before at the end.

    Args:
        dtype: of the numbers it is to work with; its tables of tangents are made in torch's default.

    Yields:
        A list that names the operations it has no rule for, as it comes upon them.
    """
    logger, notes = logging.getLogger(LOGGER), _Refusals()
    propagate, settings = logger.propagate, _exporter_settings()
    inlining, default = getattr(settings, "autograd_inlining", None), torch.get_default_dtype()
    deepest = sys.getrecursionlimit()
    logger.addHandler(notes)
    logger.propagate = False
    sys.setrecursionlimit(max(deepest, DEEPEST))
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")
            torch.set_default_dtype(dtype)
            yield notes.operations
    finally:
        torch.set_default_dtype(default)
        sys.setrecursionlimit(deepest)
        logger.removeHandler(notes)
        logger.propagate = propagate
        if inlining is not None:
            settings.autograd_inlining = inlining


def _exporter_settings() -> Any:
    """The global settings of torch's exporter, one of which it switches while it traces."""
    for name in ("torch.onnx._internal.torchscript_exporter._globals", "torch.onnx._globals"):
        module = sys.modules.get(name)
        if module is not None and hasattr(module, "GLOBALS"):
            return module.GLOBALS
    return None
