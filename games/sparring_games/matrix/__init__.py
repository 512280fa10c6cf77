"""Where matrix games come from: two classics and files of payoffs."""

from __future__ import annotations

from sparring_games.matrix.file import payoffs_from_file
from sparring_games.matrix.named import matching_pennies, rock_paper_scissors

__all__ = ["matching_pennies", "payoffs_from_file", "rock_paper_scissors"]
