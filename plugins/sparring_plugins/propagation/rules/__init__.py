"""Which node each operation of torch becomes; one table an idea."""

from __future__ import annotations

from sparring_plugins.propagation.rules import (
    activations,
    arithmetic,
    cells,
    extremes,
    facts,
    idle,
    indexing,
    layers,
    normalisation,
    powers,
    reductions,
    shapes,
    softmax,
    spreads,
)
from sparring_plugins.propagation.trace import Rules

__all__ = ["RULES"]

_TABLES = (
    activations, arithmetic, cells, extremes, facts, idle, indexing, layers, normalisation, powers, reductions,
    shapes, softmax, spreads,
)  # fmt: skip

RULES = Rules(
    functions={target: rule for table in _TABLES for target, rule in table.FUNCTIONS.items()},
    methods={target: rule for table in _TABLES for target, rule in table.METHODS.items()},
    modules={kind: rule for table in _TABLES for kind, rule in table.MODULES.items()},
)
