"""The one door to torch and safetensors: imported when first needed."""

from __future__ import annotations

import importlib
from typing import Any

from sparring.errors import MissingError

__all__ = ["engine", "tensor_files"]


def engine(who: str) -> Any:
    """Import torch.

    Raises:
        MissingError: it is not installed.
    """
    return _needed("torch", who)


def tensor_files(who: str) -> Any:
    """Import the part of safetensors that knows numpy.

    Raises:
        MissingError: it is not installed.
    """
    return _needed("safetensors.numpy", who)


def _needed(module: str, who: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingError(f"{who}: needs the package {package} ({error}): pip install 'sparring[torch]'") from error
