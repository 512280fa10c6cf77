"""Sparring: how exploitable a policy is under an attack budget, and how to train it to be less so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparring.attack_game import AttackGame, Side
    from sparring.attacking import attack
    from sparring.bounding import bound
    from sparring.bounds import Region
    from sparring.document import Evaluation
    from sparring.errors import RefusedError, RequestError, SparringError
    from sparring.evaluating import evaluate
    from sparring.games import load_game
    from sparring.hookspecs import hookimpl
    from sparring.policy_specs import load_policy
    from sparring.solver import Answer
    from sparring.solving import solve

_HOMES = {
    "Answer": "sparring.solver",
    "AttackGame": "sparring.attack_game",
    "Evaluation": "sparring.document",
    "RefusedError": "sparring.errors",
    "Region": "sparring.bounds",
    "RequestError": "sparring.errors",
    "Side": "sparring.attack_game",
    "SparringError": "sparring.errors",
    "attack": "sparring.attacking",
    "bound": "sparring.bounding",
    "evaluate": "sparring.evaluating",
    "hookimpl": "sparring.hookspecs",
    "load_game": "sparring.games",
    "load_policy": "sparring.policy_specs",
    "solve": "sparring.solving",
}

__all__ = [
    "Answer",
    "AttackGame",
    "Evaluation",
    "RefusedError",
    "Region",
    "RequestError",
    "Side",
    "SparringError",
    "attack",
    "bound",
    "evaluate",
    "hookimpl",
    "load_game",
    "load_policy",
    "solve",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its home when it is first used, so that `import sparring` is quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'sparring' has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
