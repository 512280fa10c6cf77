"""Policies of simulated games again from what their `to_document` gave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sparring.errors import RefusedError, RequestError, SparringError
from sparring.policy import Mixture, Policy
from sparring.registry import DOCUMENT, LEARNER, Entry, default_registry
from sparring.simulated.attackers import RandomAttacker
from sparring.simulated.learner import DEFAULT, made_of
from sparring.taking_part import note

if TYPE_CHECKING:
    from sparring.simulated.game import SimulatedGame

__all__ = ["restored"]


def restored(document: Mapping[str, Any], game: SimulatedGame) -> Policy:
    """A policy or a mixture, bit for bit; kinds of plugins as they announce them, others are what some learner wrote.

    Raises:
        RequestError: it is none of these.
        PluginError: what a plugin announces for its kind makes no policy of it.
    """
    kind = document["kind"]
    if kind == "mixture":
        return Mixture(tuple(restored(part, game) for part in document["policies"]), tuple(document["weights"]))
    if kind == "random-attacker":
        return RandomAttacker(document["noise"])
    if kind == "uniform":
        return game.uniform_policy(None)
    known = default_registry()
    if kind in known.names(DOCUMENT):
        return _of_plugin(known.find(DOCUMENT, kind), document)
    if kind in ("python", "torch"):
        name = document.get("callable", document.get("spec"))
        raise RefusedError(f"{name}: code of the user's own cannot be made again from its document alone")
    faults = []
    for entry in sorted(known.learners, key=lambda entry: (entry.name != DEFAULT, entry.name)):
        try:
            policy = made_of(entry, {}).restore(document)
        except RequestError as error:
            faults.append(str(error))
            continue
        note(LEARNER, f"{entry.distribution}:{entry.name}")
        return policy
    faults = faults or ["none is installed"]
    raise RequestError(f"a policy of kind {kind!r} is none of a learner's: {faults[0]}")


def _of_plugin(entry: Entry, document: Mapping[str, Any]) -> Policy:
    try:
        made = entry.point.load()(document)
    except SparringError:
        raise
    except Exception as error:
        raise entry.fault(f"it makes no policy of its document: {type(error).__name__}: {error}") from error
    if not isinstance(made, Policy):
        raise entry.fault(f"it makes {made!r} of its document, expected a policy")
    return made
