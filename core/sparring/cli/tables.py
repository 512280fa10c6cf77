"""Tables for people, on the terminal or on standard error."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from sparring.comparing import Comparison
from sparring.document import BudgetRecord, Evaluation, FigureRecord, ThreatRecord
from sparring.solver import TraceRow

__all__ = ["comparison_table", "evaluation_table", "show", "statistics_table", "trace_table", "tried_table"]


def show(table: Table, *, aside: bool = False) -> None:
    """Print a table; `aside` sends it to standard error, where a document has standard output."""
    console = Console(stderr=aside, highlight=False)
    # Without a terminal rich assumes 80 columns and cuts figures short; a figure is worth a long line.
    console.print(table) if console.is_terminal else Console(stderr=aside, width=160, highlight=False).print(table)


def evaluation_table(found: Sequence[Evaluation]) -> Table:
    """One row an evaluation."""
    first = found[0]
    seat = "" if first.victim.player is None else f", victim in seat {first.victim.player}"
    table = Table(title=f"{first.game.spec} under {first.threat.name}{seat}", title_justify="left")
    for name, justify in (
        ("victim", "left"),
        ("budget", "right"),
        ("no attack", "right"),
        ("under attack", "right"),
        ("exploitability", "right"),
        ("least possible", "right"),
        ("gap", "right"),
    ):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]  # literal strings above
    for item in found:
        worst = min((attack.value for attack in item.attacks), default=None)
        table.add_row(
            item.victim.spec,
            budget_text(item.budget, item.threat),
            _figure(item.nominal.value),
            _figure(worst),
            interval_text(item),
            _figure(None if item.optimum is None else item.optimum.exploitability),
            _figure(item.gap),
        )
    warnings = [f"{item.victim.spec}, {attack.oracle}: {text}" for item in found for attack in item.attacks
                for text in attack.warnings]  # fmt: skip
    if warnings:
        table.caption = "\n".join(f"warning: {text}" for text in warnings)
    return table


def statistics_table(found: Sequence[Evaluation]) -> Table:
    """One row an attack: what its episodes say together, each figure with its 95% interval."""
    table = Table(title="returns of episodes, with 95% bootstrap intervals", title_justify="left")
    for name in ("victim", "budget", "attack"):
        table.add_column(name, justify="left", no_wrap=True)
    for name in ("mean", "median", "interquartile mean", "collapsed"):
        table.add_column(name, justify="right", no_wrap=True)
    for item in found:
        records = [("no attack", item.nominal.statistics)]
        records += [(attack.oracle, attack.statistics) for attack in item.attacks]
        for name, told in records:
            if told is not None:
                figures = [_with_interval(each) for each in (told.mean, told.median, told.iqm)]
                collapsed = "-" if told.collapsed is None else f"{told.collapsed.value:.0%}"
                table.add_row(item.victim.spec, budget_text(item.budget, item.threat), name, *figures, collapsed)
    below = {told.collapsed.below for item in found if (told := item.nominal.statistics) and told.collapsed}
    if len(below) == 1:
        table.caption = f"collapsed: a return below {_figure(below.pop())}"
    return table


def tried_table(found: Sequence[Evaluation], limit: int = 12) -> Table:
    """One row for each attacker that an oracle chose from, the strongest first; the document has them all."""
    table = Table(title="what oracles chose from", title_justify="left")
    for name in ("victim", "budget", "attack", "tried"):
        table.add_column(name, justify="left", no_wrap=True)
    for name in ("return", "steps"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("note", justify="left")
    for item in found:
        for attack in item.attacks:
            whose = (item.victim.spec, budget_text(item.budget, item.threat), attack.oracle)
            tried = sorted(attack.tried or [], key=lambda each: (each.value is None, each.value or 0.0))
            for each in tried[:limit]:
                note = "; ".join(each.warnings)
                table.add_row(*whose, each.oracle, _figure(each.value), str(each.steps), note)
            if len(tried) > limit:
                table.add_row(*whose, f"and {len(tried) - limit} more")
    return table


def comparison_table(found: Sequence[Comparison]) -> Table:
    """One row for two agents under one attack."""
    table = Table(title="paired by seed: the second less the first", title_justify="left")
    for name in ("first", "second", "budget", "attack"):
        table.add_column(name, justify="left", no_wrap=True)
    for name in ("episodes", "difference", "second is better"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in found:
        low, high = each.improvement_ci95
        table.add_row(
            each.first,
            each.second,
            "-" if each.budget is None else f"{each.budget:g}",
            each.attack,
            str(each.episodes),
            f"{_figure(each.difference)} [{_figure(each.ci95[0])}, {_figure(each.ci95[1])}]",
            f"{each.improvement:.0%} [{low:.0%}, {high:.0%}]",
        )
    left_out = max(each.left_out for each in found)
    if left_out:
        table.caption = f"warning: up to {left_out} episodes were played by one of two agents alone and are left out"
    return table


def trace_table(rows: Sequence[TraceRow], limit: int = 12) -> Table:
    """Some rows of a trace, the first and the last among them."""
    table = Table()
    for name in ("iteration", "seconds", "last", "averaged", "gap", "gradient norm"):
        table.add_column(name, justify="right", no_wrap=True)
    stride = max(1, -(-len(rows) // limit))
    kept = [row for place, row in enumerate(rows) if place % stride == 0 or place == len(rows) - 1]
    for row in kept:
        figures = (row.last, row.averaged, row.gap, row.gradient_norm)
        table.add_row(str(row.iteration), f"{row.seconds:.3f}", *[_figure(value) for value in figures])
    return table


def budget_text(budget: BudgetRecord | None, threat: ThreatRecord) -> str:
    """The budget, or those of the parts."""
    if budget is not None:
        return f"{budget.value:g}"
    return " + ".join(f"{part.budget.value:g}" for part in threat.parts or [])


def interval_text(item: Evaluation) -> str:
    """One number where it is exact, else both ends."""
    found = item.exploitability
    if found.exact:
        return _figure(found.lower)
    upper = "?" if found.upper is None else _figure(found.upper)
    return f"[{_figure(found.lower)}, {upper}]"


def _with_interval(figure: FigureRecord) -> str:
    low, high = figure.ci95
    return f"{_figure(figure.value)} [{_figure(low)}, {_figure(high)}]"


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    # Rounding noise of the size of a few ulps is shown as 0, with no sign.
    return f"{0.0 if abs(value) < 5e-13 else value:.6g}"
