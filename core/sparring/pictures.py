"""Pictures of evaluations; needs the `plots` extra."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sparring.document import Evaluation
from sparring.errors import MissingError, RequestError
from sparring.files import write_whole

__all__ = ["budget_curves", "new_figure", "save_figure"]


def budget_curves(found: Sequence[Evaluation], path: Path) -> None:
    """Draw exploitability against budget, one curve for each victim, and the least that is possible.

    Raises:
        RequestError: matplotlib is missing, or the evaluations have composed threats and so no single budget.
    """
    if any(item.budget is None for item in found):
        raise RequestError("--plot: composed threats have no single budget to draw against")
    figure, axes = new_figure()
    for victim in dict.fromkeys(item.victim.spec for item in found):
        points = sorted((item.budget.value, item.exploitability.lower) for item in found
                        if item.budget is not None and item.victim.spec == victim)  # fmt: skip
        axes.plot(*zip(*points, strict=True), marker="o", markersize=4, label=victim)
    best = sorted({(item.budget.value, item.optimum.exploitability) for item in found
                   if item.budget is not None and item.optimum is not None})  # fmt: skip
    if best:
        axes.plot(*zip(*best, strict=True), color="black", linestyle="--", label="least possible")
    first = found[0]
    assert first.budget is not None
    seat = "" if first.victim.player is None else f", victim in seat {first.victim.player}"
    axes.set(title=f"{first.game.spec}{seat}", xlabel=f"attack budget ({first.budget.unit})", ylabel="exploitability")
    axes.legend()
    save_figure(figure, path)


def new_figure(width: float = 6.4, height: float = 4.2) -> tuple[Any, Any]:
    """A figure with one pair of axes, drawn without a display.

    Raises:
        RequestError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingError("pictures need matplotlib: pip install 'sparring[plots]'") from None
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure in the format of the file's ending; the file is whole or absent.

    Raises:
        RequestError: there is no such format.
    """
    kinds = figure.canvas.get_supported_filetypes()
    kind = path.suffix.removeprefix(".").lower()
    if kind not in kinds:
        ending = repr(path.suffix) if path.suffix else "without an ending"
        raise RequestError(f"--plot {path}: no picture format {ending}; take .png or .svg")
    with write_whole(path) as stream:
        figure.savefig(stream, format=kind, dpi=150)
