"""Policies of simulated games again from what their `to_document` gave."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from sparring.errors import RefusedError, RequestError
from sparring.policy import Mixture, Policy
from sparring.registry import LEARNER, default_registry
from sparring.simulated.attackers import RandomAttacker
from sparring.simulated.learner import DEFAULT, made_of
from sparring.taking_part import note

if TYPE_CHECKING:
    from sparring.simulated.game import SimulatedGame

__all__ = ["GROUP", "restored"]

GROUP = "sparring.documents"
"""Entry points by kind of document; each leads to a callable that makes a policy of one."""


def restored(document: Mapping[str, Any], game: SimulatedGame) -> Policy:
    """A policy or a mixture, bit for bit; kinds of plugins by their entry point, others are what some learner wrote.

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
    if kind in ("python", "torch"):
        name = document.get("callable", document.get("spec"))
        raise RefusedError(f"{name}: code of the user's own cannot be made again from its document alone")
    faults = []
    for entry in sorted(default_registry().learners, key=lambda entry: (entry.name != DEFAULT, entry.name)):
        try:
            policy = made_of(entry, {}).restore(document)
        except RequestError as error:
            faults.append(str(error))
            continue
        note(LEARNER, f"{entry.distribution}:{entry.name}")
        return policy
    faults = faults or ["none is installed"]
    raise RequestError(f"a policy of kind {kind!r} is none of a learner's: {faults[0]}")
