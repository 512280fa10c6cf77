"""Where tabular Markov games come from: named ones, generated ones and files."""

from __future__ import annotations

from sparring_games.markov.file import from_file
from sparring_games.markov.grid_traps import grid_traps
from sparring_games.markov.random_games import random_zero_sum
from sparring_games.markov.sa_toy import sa_toy
from sparring_games.markov.soccer import soccer

__all__ = ["from_file", "grid_traps", "random_zero_sum", "sa_toy", "soccer"]
