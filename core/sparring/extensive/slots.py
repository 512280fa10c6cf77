"""What stands where in the table that every kernel gets.

The table is one array of unsigned 64-bit numbers: sizes and addresses, first for the victim's side, then,
`SIDE` places on, for the attacker's.
"""

from __future__ import annotations

import numpy as np

__all__ = [
    "ABOVE",
    "ATTACKER",
    "COLUMN",
    "FLOOR",
    "FREE",
    "ORDER",
    "PLAN",
    "ROW",
    "RUNS",
    "RUN_COUNT",
    "SEQUENCES",
    "SHARE",
    "SIDE",
    "SIZE",
    "START",
    "TILES",
    "VALUE",
    "VICTIM",
    "Q",
]  # fmt: skip

(
    SEQUENCES,  # sizes
    RUN_COUNT,
    TILES,
    ABOVE,  # addresses of the arrays of a SideLayout
    ORDER,
    RUNS,
    ROW,
    START,
    COLUMN,
    VALUE,
    FLOOR,  # fixed part of the deployed behaviour and weight of the free part, [sequences], inner order;
    SHARE,  # not there, and never read, where FREE is 1
    PLAN,  # working space, inner order, at least twice as long as the longest run
    Q,  # of both sides in turns, `LANES` longer: the product's last vector writes beyond the end
    STATE,  # of regret matching: regrets, free behaviour, weighted sum of plans, each [sequences]
    FREE,  # 1 where nothing of the behaviour is fixed
    SIDE,
) = (np.uint64(slot) for slot in range(17))

VICTIM = np.uint64(0)
ATTACKER = SIDE
SIZE = 2 * int(SIDE)
