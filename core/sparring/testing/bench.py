"""What every kind of plugin is put through: settings in which it works, and what it did there."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sparring.attack_game import AttackGame, Side
from sparring.errors import MissingError, RefusedError
from sparring.forms import Form
from sparring.policy import Policy
from sparring.sameness import fingerprint
from sparring.testing.check import CheckSkipped
from sparring.testing.global_state import watched
from sparring.testing.subject import Subject

__all__ = ["Attempt", "Bench", "Done", "Held", "Inputs", "Setting"]

GLOBAL_STATE = 23


@dataclass(frozen=True)
class Held:
    """A policy that came from a plugin, with the side it plays."""

    policy: Policy
    side: Side
    duel: AttackGame
    restore: Callable[[Mapping[str, Any]], Policy] | None = None
    """How its document becomes a policy again; None for the attack game's own way."""

    def again(self, document: Mapping[str, Any]) -> Policy:
        """The policy of a document."""
        return self.duel.restore(document, self.side) if self.restore is None else self.restore(document)


class Inputs:
    """What a plugin is given to work with, and must leave as it is."""

    def __init__(self, **given: Any) -> None:
        self.given = given
        self._before = {name: fingerprint(value) for name, value in given.items()}

    def changed(self) -> list[str]:
        """Names of what is no longer as it was."""
        return [name for name, value in self.given.items() if fingerprint(value) != self._before[name]]


@dataclass(frozen=True)
class Done:
    """What a plugin did in a setting."""

    result: Any
    """All that it gave, in a shape that can be compared."""
    inputs: Inputs
    policies: tuple[Held, ...] = ()
    raw: Any = None
    """What it gave, as it gave it."""


@dataclass(frozen=True)
class Setting:
    """A piece of work for a plugin, made anew whenever it runs."""

    label: str
    form: Form | None
    """The form of game it belongs to; None where there is no game."""
    run: Callable[[int], Done]
    """Do it with a seed; raises RefusedError where the plugin declines."""


@dataclass(frozen=True)
class Attempt:
    """How a setting went the first time."""

    setting: Setting
    done: Done | None
    """None where the plugin declined."""
    declined: str
    """Why it did."""
    touched: tuple[str, ...]
    """Global random generators that it drew from or seeded."""


@dataclass(frozen=True, eq=False)
class Bench(ABC):
    """Puts one kind of plugin to work."""

    subject: Subject

    @abstractmethod
    def settings(self) -> list[Setting]:
        """All settings for what the plugin claims, those that it may decline among them."""

    @cached_property
    def attempts(self) -> list[Attempt]:
        """What it did with seed 0 in every setting; made once, since some plugins take their time.

        Raises:
            MissingError: it needs something that is not installed, wherever it does not decline.
        """
        found, missing = [], []
        for setting in self.settings():
            done, declined = None, ""
            with watched(GLOBAL_STATE) as touched:
                try:
                    done = setting.run(0)
                except MissingError as error:
                    missing.append(error)
                    continue
                except RefusedError as error:
                    declined = str(error)
            if touched:  # some libraries draw when they are first imported; what the plugin does, it does again
                with watched(GLOBAL_STATE) as touched, contextlib.suppress(RefusedError):
                    setting.run(0)
            found.append(Attempt(setting, done, declined, tuple(touched)))
        if missing and all(attempt.done is None for attempt in found):
            raise missing[0]
        return found

    @property
    def performed(self) -> list[tuple[Setting, Done]]:
        """What it did in every setting that it does not decline.

        Raises:
            CheckSkipped: it declines them all, or there are none.
        """
        found = [(attempt.setting, attempt.done) for attempt in self.attempts if attempt.done is not None]
        if not found:
            raise CheckSkipped(self.nothing_to_see)
        return found

    @property
    def nothing_to_see(self) -> str:
        """Why there may be nothing to look at."""
        if self.subject.kit_forms:
            return "it declines every game of the kit"
        forms = ", ".join(sorted(form.value for form in self.subject.plugin.forms))
        return f"the kit has no games of its forms ({forms}) yet"
