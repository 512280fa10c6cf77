"""Whether attack games reach a worker process."""

from __future__ import annotations

import pickle

import numpy as np

from sparring.attack_game import Side
from sparring.testing.cases import amounts
from sparring.testing.charging import Chargeable

__all__ = ["attack_games_pickle"]


def attack_games_pickle(bench: Chargeable) -> None:
    """An attack game can be sent to a worker process and gives the same values there."""
    for case in bench.cases:
        duel = case.make(amounts(case.kind)[2])
        victim = duel.draw(Side.VICTIM, np.random.default_rng(32))
        value = duel.exploitability(victim)
        try:
            sent = pickle.dumps((duel, victim))
            del duel  # what arrives must not lean on what was sent
            arrived, policy = pickle.loads(sent)
            fault = "" if arrived.exploitability(policy) == value else "it gives other values where it arrives"
        except Exception as error:
            fault = f"it cannot be pickled: {type(error).__name__}: {error}"
        if fault:
            raise bench.subject.failure(fault, "pickle all that it computes with: arrays and numbers", case.label)
