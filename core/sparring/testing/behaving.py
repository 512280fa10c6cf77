"""Checks of how a plugin behaves, whatever it does."""

from __future__ import annotations

from sparring.testing.bench import Bench
from sparring.testing.check import CheckSkipped
from sparring.testing.global_state import watched
from sparring.testing.sameness import fingerprint

__all__ = ["leaves_global_randomness_alone", "leaves_inputs_alone", "same_seed_same_result", "works_on_its_forms"]

OTHER_STATE = 24


def works_on_its_forms(bench: Bench) -> None:
    """On every form that it claims it works on some game of the kit, and declines the others with a RefusedError."""
    if not bench.attempts:
        raise CheckSkipped(bench.nothing_to_see)
    worked = {attempt.setting.form for attempt in bench.attempts if attempt.done is not None}
    for attempt in bench.attempts:
        form = attempt.setting.form
        if form in worked:
            continue
        claim = "it" if form is None else f"it claims the {form} form, where it"
        raise bench.subject.failure(
            f"{claim} declines everything, for example {attempt.setting.label}: {attempt.declined}",
            "leave the form out of `forms`, or support it" if form is not None else "support one of them",
        )


def leaves_inputs_alone(bench: Bench) -> None:
    """What it is handed (game, policies, modules) is afterwards what it was."""
    for setting, done in bench.performed:
        changed = done.inputs.changed()
        if changed:
            raise bench.subject.failure(
                f"it changed {' and '.join(changed)}",
                "copy arrays before writing to them",
                setting.label,
            )


def leaves_global_randomness_alone(bench: Bench) -> None:
    """The global random state of Python, numpy and (where it is loaded) torch is untouched."""
    for attempt in bench.attempts:
        if attempt.touched:
            raise bench.subject.failure(
                f"it draws from, or seeds, the global random state of {' and '.join(attempt.touched)}",
                "draw from the generator that is passed in, or from sparring.streams.stream(seed, ...)",
                attempt.setting.label,
            )


def same_seed_same_result(bench: Bench) -> None:
    """The same seed gives the same result, bit for bit, whatever state the global generators are in."""
    for setting, done in bench.performed:
        with watched(OTHER_STATE):
            again = setting.run(0)
        if fingerprint(again.result) != fingerprint(done.result):
            raise bench.subject.failure(
                "two runs with one seed differ",
                "draw from the generator that is passed in; keep no state between calls, iterate over no sets",
                setting.label,
            )
