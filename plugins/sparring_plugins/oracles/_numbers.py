"""Options that are several numbers, as specs write them: `0.1 0.3 1`."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

__all__ = ["Positive", "Share", "Whole"]


def _split(given: object) -> object:
    """Numbers between spaces, or a single one, as a tuple."""
    if isinstance(given, str):
        return tuple(given.split())
    return (given,) if isinstance(given, int | float) else given


Positive = Annotated[tuple[Annotated[float, Field(ge=0)], ...], BeforeValidator(_split), Field(min_length=1)]
"""One or more numbers from 0."""
Whole = Annotated[tuple[Annotated[int, Field(ge=0)], ...], BeforeValidator(_split), Field(min_length=1)]
"""One or more whole numbers from 0."""
Share = Annotated[tuple[Annotated[float, Field(ge=0, le=1)], ...], BeforeValidator(_split), Field(min_length=1)]
"""One or more numbers from 0 to 1."""
