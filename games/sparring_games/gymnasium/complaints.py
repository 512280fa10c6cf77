"""What MuJoCo says by itself: kept here, where it would else print it and write a log into the user's folder."""

from __future__ import annotations

import importlib
import logging
from typing import Any

__all__ = ["listen", "unstable"]

LOG = logging.getLogger(__name__)
BROKEN = "unstable"
"""In the message with which MuJoCo sets a simulation back to its start, because its numbers have become senseless."""

_heard: list[str] = []


def listen() -> None:
    """Take MuJoCo's messages, unless the program has already asked for them."""
    mujoco: Any = importlib.import_module("mujoco")
    if mujoco.get_mju_user_warning() is None:
        mujoco.set_mju_user_warning(_hear)


def unstable() -> str | None:
    """The message of a simulation that has broken since this was last asked; None where none has."""
    if not _heard:
        return None
    message = _heard[0]
    _heard.clear()
    return message


def _hear(message: str) -> None:
    LOG.info("MuJoCo: %s", message)
    if BROKEN in message:
        _heard.append(" ".join(message.split()))
