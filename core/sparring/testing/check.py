"""What a check is, and how it ends: passed, failed, failed as declared, or skipped for a reason."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from sparring.errors import MissingError, SparringError

__all__ = ["Check", "CheckFailure", "CheckSkipped", "CheckUnable", "Outcome", "Verdict", "on_each"]


class CheckFailure(SparringError):
    """A plugin does not keep a promise; says what is wrong, where, and what to do about it."""

    def __init__(self, cause: str, place: str, remedy: str) -> None:
        self.cause, self.place, self.remedy = (" ".join(part.split()) for part in (cause, place, remedy))
        super().__init__(f"{self.cause}; at {self.place}; remedy: {self.remedy}")

    def __reduce__(self) -> tuple[type[CheckFailure], tuple[str, str, str]]:
        return type(self), (self.cause, self.place, self.remedy)


class CheckSkipped(SparringError):
    """A check has nothing to look at here; the message says why."""


def on_each(*parts: Callable[[], None]) -> None:
    """Run the parts of a check; it has nothing to look at only where none of them has.

    Raises:
        CheckSkipped: all parts were skipped; the first one's reason.
    """
    skipped: list[CheckSkipped] = []
    for part in parts:
        try:
            part()
        except CheckSkipped as reason:
            skipped.append(reason)
    if len(skipped) == len(parts):
        raise skipped[0] if skipped else CheckSkipped("it claims no form that the kit has games of")


class CheckUnable(CheckSkipped):
    """A check cannot be made here, because something is not installed; the message says what."""


class Verdict(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "FAILED"
    EXPECTED = "failed as declared"
    SKIPPED = "skipped"
    UNABLE = "not checked"
    """Something that the plugin needs is not installed."""


@dataclass(frozen=True)
class Outcome:
    """A verdict with its reason; empty where the check passed."""

    verdict: Verdict
    message: str = ""


@dataclass(frozen=True)
class Check:
    """One promise of one plugin, ready to be looked at."""

    name: str
    describe: str
    """The promise, in one sentence."""
    body: Callable[[], None]
    place: str
    """Where the plugin's code lies, for errors that do not say."""
    expected: str | None = None
    """Why the plugin says that it fails here; None if it does not."""

    def run(self) -> None:
        """Look whether the promise is kept; a failure that the plugin declares passes in silence.

        Raises:
            CheckFailure: it is not kept, or it is kept though the plugin declares that it is not.
            CheckSkipped: there is nothing to look at.
        """
        failure = self._failure()
        if failure is not None and self.expected is None:
            raise failure
        if failure is None and self.expected is not None:
            raise CheckFailure(
                f"it passes, though the plugin declares that it fails ({self.expected})",
                self.place,
                f"remove {self.name!r} from expected_failures",
            )

    def outcome(self) -> Outcome:
        """How the check ends, as a value."""
        try:
            self.run()
        except CheckUnable as unable:
            return Outcome(Verdict.UNABLE, str(unable))
        except CheckSkipped as skipped:
            return Outcome(Verdict.SKIPPED, str(skipped))
        except CheckFailure as failure:
            return Outcome(Verdict.FAILED, str(failure))
        return Outcome(Verdict.PASSED) if self.expected is None else Outcome(Verdict.EXPECTED, self.expected)

    def _failure(self) -> CheckFailure | None:
        """What is wrong; whatever the plugin raises that it should not is wrong too."""
        try:
            self.body()
        except CheckSkipped:
            raise
        except MissingError as missing:
            raise CheckUnable(str(missing)) from missing
        except CheckFailure as failure:
            return failure
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            what = f"it raises {type(error).__name__}: {error}"
            where = f"{self.place}, raised in {last.filename}:{last.lineno}"
            return CheckFailure(what, where, "return a result, or raise a RefusedError that says why there is none")
        return None
