"""The simulated form: worlds that are stepped, in batches, and known only by what they answer."""

from __future__ import annotations

from sparring.simulated.chance import Chance, EpisodeStreams
from sparring.simulated.episodes import Episodes, play
from sparring.simulated.game import SimulatedGame
from sparring.simulated.spaces import Box, Discrete, Space
from sparring.simulated.world import Step, World

__all__ = ["Box", "Chance", "Discrete", "EpisodeStreams", "Episodes", "SimulatedGame", "Space", "Step", "World", "play"]
