"""The kit as a pytest test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sparring.errors import RequestError
from sparring.registry import Registry
from sparring.testing.check import Check, Verdict
from sparring.testing.selecting import checks

__all__ = ["conformance"]


def conformance(
    kind: str, name_or_class: str | Callable[..., object], registry: Registry | None = None, *, strict: bool = False
) -> Any:
    """Make a pytest test function that runs every check of a plugin, one test a check.

    Args:
        kind: such as `threat-model`, or `learner`.
        name_or_class: the name that the plugin is announced by, or its class; of a learner, what makes it.
        registry: where plugins come from; the installed ones if None.
        strict: whether what cannot be checked, because something is not installed, fails.

    Returns:
        A test function, to be bound to a name that pytest collects: `test_conformance = conformance(...)`.
    """
    import pytest

    try:
        found = list(checks(kind, name_or_class, registry))
    except RequestError as error:
        pytest.fail(str(error), pytrace=False)

    @pytest.mark.parametrize("check", found, ids=[check.name for check in found])
    def test_conformance(check: Check) -> None:
        outcome = check.outcome()
        if outcome.verdict is Verdict.UNABLE and strict:
            pytest.fail(f"{check.name}: {outcome.message}", pytrace=False)
        if outcome.verdict in (Verdict.SKIPPED, Verdict.UNABLE):
            pytest.skip(outcome.message)
        if outcome.verdict is Verdict.EXPECTED:
            pytest.xfail(outcome.message)
        if outcome.verdict is Verdict.FAILED:
            pytest.fail(f"{check.name}: {outcome.message}", pytrace=False)

    return test_conformance
