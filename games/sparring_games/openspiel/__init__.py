"""OpenSpiel games, compiled to sequence form."""

from __future__ import annotations

from sparring_games.openspiel.compile import compile_game, load_openspiel

__all__ = ["compile_game", "load_openspiel"]
