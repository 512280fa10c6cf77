"""Stand-ins whose values a module asks for are refused, whatever it makes of that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import fx

__all__ = ["Firm"]


class Firm(fx.proxy.TracerBase):
    """What a tracer of torch.fx refuses stays refused, even where the module catches the error and goes on."""

    failed: Exception | None = None

    def iter(self, obj: Any) -> Any:
        """The parts of a stand-in, of which nobody knows how many there are."""
        return self._noted(super().iter, obj)

    def to_bool(self, obj: Any) -> bool:
        """Which way a branch goes."""
        return bool(self._noted(super().to_bool, obj))

    def keys(self, obj: Any) -> Any:
        """The names in a stand-in."""
        return self._noted(super().keys, obj)

    def _noted(self, ask: Callable[[Any], Any], obj: Any) -> Any:
        try:
            return ask(obj)
        except Exception as error:
            self.failed = self.failed or error
            raise
