"""Tables of what `published_tables.py` measured, beside what is published and what was measured elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from scipy.stats import t as student

from _published import ATARI, DDPG, DDPG_COLUMNS, DDPG_TABLE, PPO, ROBUST_SARSA

Cells = Mapping[str, Any]
KEYS = {"natural": "none", "mad": "mad", "released adversary": "adversary", "pgd": "pgd@1/255"}
"""What the agents' manifest calls the columns that were measured by other code."""


def tables(cells: Cells, manifest: Mapping[str, Any]) -> str:
    """All tables, as Markdown, with a line that counts the intervals that overlap."""
    known = {told["name"]: told for told in manifest["agents"]}
    parts = [_measured(cells, known, PPO, ("natural", "mad", "released adversary")), _sarsa(cells)]
    parts += [_measured(cells, known, ATARI, ("natural", "pgd")), _measured(cells, known, DDPG, ("natural", "mad"))]
    return "\n\n".join([*(part for part in parts if part), _ddpg(cells)])


def figure(cell: Mapping[str, Any] | None) -> str:
    """Mean with Student's 95% interval, and the median."""
    if cell is None:
        return ""
    low, high = cell["ci95"]
    return f"{cell['mean']:.4g} [{low:.4g}, {high:.4g}], median {cell['median']:.4g}"


def overlaps(cell: Mapping[str, Any], mean: float, deviation: float, count: int) -> bool:
    """Whether the cell's 95% interval and the one of another mean have a number in common."""
    half = student.ppf(0.975, count - 1) * deviation / math.sqrt(count) if count > 1 else 0.0
    return bool(cell["ci95"][0] <= mean + half and mean - half <= cell["ci95"][1])


def _measured(cells: Cells, known: Mapping[str, Any], agents: Iterable[str], columns: tuple[str, ...]) -> str:
    """Ours beside what other code measured on the same agents, column by column; empty where nothing was measured."""
    lines, held, missed = [], 0, []
    for agent in agents:
        if not any(f"{agent}, {column}" in cells for column in columns):
            continue
        row = [agent]
        for column in columns:
            cell = cells.get(f"{agent}, {column}")
            told = known[agent]["measured_here"]["results"].get(KEYS[column])
            row += [figure(cell), "" if told is None else f"{told['mean']:.4g} ± {told['std']:.4g} ({told['n']})"]
            if cell is not None and told is not None:
                good = overlaps(cell, told["mean"], told["std"], told["n"])
                held += good
                missed += [] if good else [f"{agent} {column}"]
                row[-1] += "" if good else " **apart**"
        row.append(_published(known[agent]["published"]))
        lines.append("| " + " | ".join(row) + " |")
    if not lines:
        return ""
    heads = [name for column in columns for name in (column, "elsewhere")]
    told_of = f"{held} of {held + len(missed)} intervals overlap" + (f"; apart: {', '.join(missed)}" if missed else "")
    return "\n".join([_head(["agent", *heads, "published: natural, strongest"]), *lines, "", told_of])


def _sarsa(cells: Cells) -> str:
    rows = [
        f"| {agent} | {figure(cells[f'{agent}, robust sarsa'])} | {told[0]} ± {told[1]} |"
        for agent, told in ROBUST_SARSA.items()
        if f"{agent}, robust sarsa" in cells
    ]
    return "\n".join([_head(["agent", "robust-sarsa", "published (table 6.9)"]), *rows]) if rows else ""


def _ddpg(cells: Cells) -> str:
    """Table 6.4: ours above, published below it."""
    lines = []
    for agent, told in DDPG_TABLE.items():
        own = [cells.get(f"{agent}, {column}") for column in DDPG_COLUMNS]
        if any(cell is not None for cell in own):
            lines.append("| " + " | ".join([agent, *(_short(cell) for cell in own)]) + " |")
            lines.append("| *published* | " + " | ".join(f"{mean:g} ± {spread:g}" for mean, spread in told) + " |")
    return "\n".join([_head(["agent", *DDPG_COLUMNS]), *lines]) if lines else ""


def _short(cell: Mapping[str, Any] | None) -> str:
    return "" if cell is None else f"{cell['mean']:.4g} [{cell['ci95'][0]:.4g}, {cell['ci95'][1]:.4g}]"


def _published(told: Mapping[str, Any] | None) -> str:
    figures = [] if told is None else [told.get("natural"), told.get("strongest_attack")]
    return ", ".join(str(each) for each in figures if each is not None)


def _head(names: list[str]) -> str:
    return "| " + " | ".join(names) + " |\n|" + "---|" * len(names)
