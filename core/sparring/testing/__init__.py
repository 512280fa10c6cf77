"""The conformance kit: does a plugin keep the promises of its kind?

In the tests of a plugin two lines run every check, one test a check:

    from sparring.testing import conformance
    test_conformance = conformance("threat-model", "noisy-channel")

`sparring plugins check NAME` runs the same checks without pytest. A plugin that knowingly breaks a promise says so
in its class attribute `expected_failures`, a mapping from the check's name to the reason; should the check pass, that
is a failure too. Where something that a plugin needs is not installed its checks are `not checked`; `strict=True`, or
`plugins check --strict`, makes that a failure, which is what a plugin's own CI wants.
"""

from __future__ import annotations

from sparring.testing.check import Check, CheckFailure, CheckSkipped, CheckUnable, Outcome, Verdict
from sparring.testing.pytest_door import conformance
from sparring.testing.selecting import checks

__all__ = ["Check", "CheckFailure", "CheckSkipped", "CheckUnable", "Outcome", "Verdict", "checks", "conformance"]
