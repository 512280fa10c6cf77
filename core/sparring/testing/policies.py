"""Checks of the policies that come from a plugin."""

from __future__ import annotations

import json
import pickle
from typing import Any

import numpy as np

from sparring.errors import RefusedError, RequestError
from sparring.policy import Ability
from sparring.testing.bench import Bench, Held
from sparring.testing.check import CheckSkipped

__all__ = ["policies_are_distributions", "policies_pickle", "policies_survive_saving"]

TOLERANCE = 1e-9


def policies_are_distributions(bench: Bench) -> None:
    """A policy fits its game and side, and its probabilities are numbers from 0 that sum to one."""
    for label, held in _policies(bench):
        try:
            held.duel.check_policy(held.policy, held.side)
        except RequestError as error:
            remedy = f"give a policy of the {held.side}, made by the game or the attack game"
            raise bench.subject.failure(f"its policy does not fit: {error}", remedy, label) from error
        rows = _rows(held)
        wrong = [row for row in rows if not np.isfinite(row).all() or row.min() < 0 or abs(row.sum() - 1) > TOLERANCE]
        if wrong:
            raise bench.subject.failure(
                f"its policy gives the probabilities {wrong[0].tolist()}", "make every row a distribution", label
            )


def policies_survive_saving(bench: Bench) -> None:
    """A policy that goes through JSON and `restore` comes back bit for bit."""
    for label, held in _policies(bench):
        try:
            document = json.loads(json.dumps(held.policy.to_document(), allow_nan=False))
            again = held.again(document)
        except RefusedError:  # a function cannot be written down, and says so
            continue
        except (TypeError, ValueError, KeyError, RequestError) as error:
            cause = f"its policy's document does not load again: {type(error).__name__}: {error}"
            raise bench.subject.failure(cause, SAVING, label) from error
        if not _same(held, again):
            raise bench.subject.failure("its policy comes back changed", SAVING, label)


def policies_pickle(bench: Bench) -> None:
    """A policy can be sent to a worker process and arrives bit for bit."""
    for label, held in _policies(bench):
        remedy = "hold arrays and numbers only, in a class at the top of a module"
        try:
            again = pickle.loads(pickle.dumps(held.policy))
        except Exception as error:
            cause = f"its policy cannot be pickled: {type(error).__name__}: {error}"
            raise bench.subject.failure(cause, remedy, label) from error
        if not _same(held, again):
            raise bench.subject.failure("its policy arrives changed", remedy, label)


SAVING = "put every number into `to_document` unrounded, and let the game's policy class read it"


def _policies(bench: Bench) -> list[tuple[str, Held]]:
    found = [(setting.label, held) for setting, done in bench.performed for held in done.policies]
    if not found:
        raise CheckSkipped("no policy comes from it")
    return found


def _rows(held: Held) -> list[Any]:
    """The distributions of a policy: one on matrices, one for each state or information set elsewhere."""
    if Ability.PROBABILITIES not in held.policy.abilities:
        return []
    table = np.asarray(getattr(held.policy, "probabilities", ()), dtype=np.float64)
    tree: Any = getattr(held.policy, "tree", None)
    if tree is not None:
        return [part for part in np.split(table, tree.offset[:-1].astype(int))[1:] if len(part)]
    return list(np.atleast_2d(table)) if table.size else []


def _same(held: Held, again: Any) -> bool:
    if json.dumps(again.to_document()) != json.dumps(held.policy.to_document()):
        return False
    before, after = (getattr(policy, "probabilities", None) for policy in (held.policy, again))
    return before is None or np.asarray(before).tobytes() == np.asarray(after).tobytes()
