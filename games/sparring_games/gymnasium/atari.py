"""What an agent sees of an Atari game: Gymnasium's standard preprocessing, a cropped frame, or the screen as it is."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sparring.errors import MissingError
from sparring_games.gymnasium.resize import resized

__all__ = ["VIEWS", "View", "cropped_frame"]

ViewName = Literal["standard", "crop80", "raw"]
VIEWS: tuple[ViewName, ...] = ("standard", "crop80", "raw")
ROWS = slice(35, 195)
"""The playing field of Pong and Breakout, without score and border."""
CROP = 80


@dataclass(frozen=True)
class View:
    """How a screen becomes an observation.

    `standard` is Gymnasium's `AtariPreprocessing` with `FrameStackObservation`: [stack, size, size]; `crop80` one
    grey frame [1, 80, 80] from 0 to 1; `raw` the screen [210, 160, 3].
    """

    name: ViewName = "standard"
    noop_max: int = 30
    frame_skip: int = 4
    size: int = 84
    stack: int = 4
    terminal_on_life_loss: bool = False
    scaled: bool = False

    def wrap(self, environment: Any, spec: str) -> Any:
        """The environment seen so.

        Raises:
            RequestError: OpenCV, which Gymnasium resizes with, is not installed.
        """
        wrappers: Any = importlib.import_module("gymnasium.wrappers")
        if self.name == "raw":
            return environment
        if self.name == "crop80":
            spaces: Any = importlib.import_module("gymnasium.spaces")
            seen = spaces.Box(0.0, 1.0, (1, CROP, CROP), np.float32)
            return wrappers.TransformObservation(environment, cropped_frame, seen)
        try:
            importlib.import_module("cv2")
        except ImportError as error:
            need = f"the standard Atari preprocessing needs OpenCV ({error})"
            raise MissingError(
                f"{spec}: {need}: pip install 'sparring[atari]', or take preprocessing=crop80"
            ) from error
        grey = wrappers.AtariPreprocessing(
            environment,
            noop_max=self.noop_max,
            frame_skip=self.frame_skip,
            screen_size=self.size,
            terminal_on_life_loss=self.terminal_on_life_loss,
            scale_obs=self.scaled,
        )
        return wrappers.FrameStackObservation(grey, self.stack)


def cropped_frame(screen: NDArray[np.uint8]) -> NDArray[np.float32]:
    """One screen [210, 160, 3] as [1, 80, 80] from 0 to 1.

    The field in grey, stretched so that its darkest and lightest points become 0 and 255, halved and divided by 255.
    """
    grey = screen[ROWS].mean(axis=2)
    low, high = float(grey.min()), float(grey.max())
    stretched = (grey - low) * (255.0 / (high - low if high > low else 1.0))
    whole = (np.clip(stretched, 0.0, 255.0) + 0.5).astype(np.uint8)
    return (resized(whole, CROP, CROP).astype(np.float32) / np.float32(255.0))[None]
