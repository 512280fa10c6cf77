"""Checks of how a plugin behaves, whatever it does."""

from __future__ import annotations

import math
from dataclasses import replace

from sparring.errors import RequestError
from sparring.sameness import fingerprint
from sparring.testing.bench import Bench
from sparring.testing.check import CheckSkipped
from sparring.testing.global_state import watched

__all__ = [
    "leaves_global_randomness_alone",
    "leaves_inputs_alone",
    "options_are_usable",
    "same_seed_same_result",
    "works_on_its_forms",
]

OTHER_STATE = 24
MOST = 6
"""Settings of options that are tried where a plugin works on simulated games alone, and may train at each."""


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


def options_are_usable(bench: Bench) -> None:
    """With every choice, and at each end of the range, of every option it works, or declines in words."""
    extremes = bench.subject.extremes
    if not extremes:
        raise CheckSkipped("it has no option that is a choice or has a range")
    seen = {setting.form: setting.label for setting, _ in reversed(bench.performed)}  # the first one of each form
    few = extremes[:: math.ceil(len(extremes) / MOST)]  # spread over the options
    for options in extremes if bench.subject.exact_forms else few:
        chosen = type(bench)(replace(bench.subject, chosen=options))
        for setting in chosen.settings():
            if seen.get(setting.form) != setting.label:
                continue
            try:
                setting.run(0)
            except RequestError:  # an option may ask for what this game has not, and say so
                continue
            except Exception as error:
                words = ", ".join(f"{name}={value!r}" for name, value in options.items())
                raise bench.subject.failure(
                    f"with {words} it raises {type(error).__name__}: {error}",
                    "narrow the option's range, or let every value of it work",
                    setting.label,
                ) from error
