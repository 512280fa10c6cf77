"""Games by spec."""

from __future__ import annotations

from sparring.game import Game
from sparring.registry import Registry, default_registry

__all__ = ["load_game"]


def load_game(spec: str, *, registry: Registry | None = None) -> Game:
    """Load a game such as `kuhn_poker`, `matrix:rock-paper-scissors` or `openspiel:liars_dice(numdice=1)`.

    Args:
        spec: `family:name(options)`, or a bare name that one family knows.
        registry: where plugins come from; the installed ones if None.

    Raises:
        RequestError: no such game, or it cannot be loaded; the line names the nearest legal choice.
    """
    return (default_registry() if registry is None else registry).load_game(spec)
