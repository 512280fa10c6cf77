"""Policies of simulated games again from what their `to_document` gave."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from sparring.policy import Mixture, Policy
from sparring.simulated.attackers import RandomAttacker
from sparring.simulated.learner import DEFAULT, learner_of

if TYPE_CHECKING:
    from sparring.simulated.game import SimulatedGame

__all__ = ["GROUP", "restored"]

GROUP = "sparring.documents"
"""Entry points by kind of document; each leads to a callable that makes a policy of one."""


def restored(document: Mapping[str, Any], game: SimulatedGame) -> Policy:
    """A policy or a mixture, bit for bit; kinds of plugins by their entry point, others are the learner's.

    Raises:
        RequestError: it is none of these.
    """
    kind = document["kind"]
    if kind == "mixture":
        return Mixture(tuple(restored(part, game) for part in document["policies"]), tuple(document["weights"]))
    if kind == "random-attacker":
        return RandomAttacker(document["noise"])
    if kind == "uniform":
        return game.uniform_policy(None)
    for point in entry_points(group=GROUP, name=kind):
        made = point.load()(document)
        assert isinstance(made, Policy)
        return made
    return learner_of(DEFAULT, game.spec).restore(document)
