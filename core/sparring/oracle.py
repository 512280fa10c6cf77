"""Oracles: they look for the attacker that hurts a fixed victim most."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from sparring._needs import check_needs
from sparring.attack_game import AttackGame, Effort, Operation, Side
from sparring.plugin import Plugin
from sparring.policy import Ability, Policy
from sparring.specs import parse
from sparring.streams import stream

__all__ = ["Finding", "Oracle", "Search", "Tried"]


@dataclass(frozen=True)
class Tried:
    """One of the attackers that an oracle chose from, measured on episodes for choosing, which are not the scored."""

    oracle: str
    """The oracle and its settings, as a spec."""
    value: float | None
    """The victim's return; None where it was refused."""
    ci95: tuple[float, float] | None = None
    episodes: int | None = None
    steps: int = 0
    """Simulator steps, those of measuring it included."""
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    """What there is to doubt, or why it was refused."""


@dataclass(frozen=True)
class Search:
    """What a search over settings cost and found."""

    oracle: str
    """Whose settings."""
    space: Mapping[str, str]
    """What each setting was searched over, in words."""
    best: str
    """The settings that were kept, as a spec."""
    trials: int
    """Settings tried, those of earlier runs that it went on from included."""
    resumed: int
    """Trials of earlier runs among them."""
    together: int
    """Trials proposed at once; the outcome depends on it, and on no number of workers."""
    steps: int
    """Simulator steps of all trials."""
    seconds: float
    """Of all trials, added up over workers."""


@dataclass(frozen=True)
class Finding:
    """What an oracle found. It is a proposal: the core deploys it within the budget and scores it."""

    attacker: Policy
    claimed: float | None = None
    """The victim's return that the oracle says its attacker reaches; checked where values are exact."""
    steps: int = 0
    """Simulator steps, or passes over the game's arrays, spent."""
    warnings: tuple[str, ...] = ()
    tried: tuple[Tried, ...] = ()
    """What it chose from, where it tried several attackers."""
    search: Search | None = None
    """What was searched, where it searched settings."""


class Oracle(Plugin):
    """Finds an attacker for a fixed victim."""

    kind: ClassVar[str] = "oracle"
    needs: ClassVar[frozenset[Ability | Operation]] = frozenset()
    """Abilities of the victim and operations of the attack game without which it cannot work."""
    beside: ClassVar[frozenset[str]] = frozenset()
    """Options that leave its chance as it is, such as workers and files, so that it goes on when they are others."""

    def chance(self, seed: int, spec: str) -> np.random.Generator:
        """All its randomness: a stream for each spec, short of options that `beside` names."""
        if self.beside and "(" in spec:
            told = parse(spec)
            kept = {name: value for name, value in told.options.items() if name not in self.beside}
            spec = str(replace(told, options=kept))
        return stream(seed, "oracle", spec)

    def check_fit(self, duel: AttackGame, victim: Policy, name: str) -> None:
        """Refuse a game of another form, or one or a victim that lacks what it needs.

        Args:
            duel: the attack game.
            victim: who is attacked.
            name: what the line calls this oracle.

        Raises:
            RefusedError: the line says what is missing.
        """
        self.check_form(duel.game)
        check_needs(f"oracle {name}", self.needs, duel, victim)

    def restore(self, document: Mapping[str, Any], duel: AttackGame) -> Policy:
        """An attacker from what its `to_document` gave, bit for bit: as the attack game makes it.

        Plugins written before kinds of documents could be announced (`sparring.documents`) override this, which goes
        away with the next interface version; an announced kind also comes back where no oracle is asked, as in
        mixtures and in checkpoints of solvers.

        Args:
            document: what JSON keeps of it.
            duel: the attack game it is to attack in.
        """
        return duel.restore(document, Side.ATTACKER)

    @abstractmethod
    def attack(self, duel: AttackGame, victim: Policy, *, effort: Effort | None, rng: np.random.Generator) -> Finding:
        """Find an attacker.

        Raises:
            RefusedError: this attack game or victim does not allow it.
        """
