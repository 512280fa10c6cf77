"""`sparring plugins check`."""

from __future__ import annotations

import re
import sys
from collections import Counter

from sparring.errors import RequestError, nearest
from sparring.registry import Entry, Registry, default_registry
from sparring.testing.check import Check, Outcome, Verdict
from sparring.testing.selecting import checks

__all__ = ["command"]


def command(target: str, strict: bool = False) -> int:
    """Run every check of the plugins that a package announces, or of those of a name; one line a check.

    Args:
        target: a distribution, the package its plugins lie in, a plugin's name, `kind.name`, or either after
            `distribution:`.
        strict: whether what could not be checked, because something is not installed, counts as failed.

    Returns:
        The exit code: 0 nothing failed, 1 a check failed.

    Raises:
        RequestError: nothing is announced under that name.
    """
    registry = default_registry()
    entries = _meant(registry, target)
    tally: Counter[Verdict] = Counter()
    for entry in entries:
        for check in checks(entry.kind, f"{entry.distribution}:{entry.name}", registry):
            outcome = check.outcome()
            tally[outcome.verdict] += 1
            _say(_line(entry, check, outcome))
    counts = ", ".join(f"{count} {verdict}" for verdict, count in tally.items())
    _say(f"{len(entries)} plugin{'s' if len(entries) > 1 else ''}: {counts}")
    unable = tally[Verdict.UNABLE] > 0 and strict
    return 1 if tally[Verdict.FAILED] or unable else 0


def _meant(registry: Registry, target: str) -> list[Entry]:
    """The entries that a name stands for."""
    every = (*registry.entries, *registry.learners)
    found = [entry for entry in every if target in entry.handles or _plain(target) in _packages(entry)]
    if not found:
        known = {name for entry in every for name in (entry.name, entry.distribution)}
        raise RequestError(f"unknown plugin or package {target!r}: {nearest(target, known)}")
    return found


def _packages(entry: Entry) -> set[str]:
    """What the entry's distribution and import package are called, spelt alike."""
    return {_plain(entry.distribution), _plain(entry.point.value.partition(":")[0].partition(".")[0])}


def _plain(name: str) -> str:
    """A package's name as package indexes compare names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _line(entry: Entry, check: Check, outcome: Outcome) -> str:
    told = outcome.message if outcome.verdict is not Verdict.PASSED else check.describe
    return f"{outcome.verdict}: {entry.kind} {entry.name}: {check.name}: {' '.join(told.split())}"


def _say(line: str) -> None:
    """Print at once, so that a long check is seen to be under way."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
