"""Which files are halves of a network's portable pair; asked before anything heavy is imported."""

from __future__ import annotations

from pathlib import Path

__all__ = ["is_pair"]


def is_pair(path: Path) -> bool:
    """Whether a file is one half of a pair, by its suffix and by what lies beside it."""
    return path.suffix == ".safetensors" or (path.suffix == ".json" and path.with_suffix(".safetensors").is_file())
