"""Attacks on how the world moves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

from pydantic import Field

from sparring import hookimpl
from sparring.access import Access, Ball, DynamicsAccess
from sparring.budgets import FORCE_BOUND, RELATIVE_CHANGE, BudgetKind
from sparring.errors import RefusedError, RequestError, nearest
from sparring.forms import Form
from sparring.game import Game
from sparring.plugin import PluginOptions
from sparring.policy import Policy
from sparring.simulated.game import SimulatedGame
from sparring.threat import ThreatModel

PLACES = {"force": "bodies", "mass": "bodies", "friction": "geoms", "damping": "joints"}
"""The option that says what is touched."""


class DynamicsOptions(PluginOptions):
    """Options of `dynamics`."""

    what: Literal["force", "mass", "friction", "damping"] = Field(
        "force",
        description="`force`: a push in newtons, chosen at every step; `mass`, `friction`, `damping`: relative change, "
        "budget 0 to 0.99, chosen once an episode after its first observation",
    )
    bodies: str = Field(
        "",
        description="force, mass: which bodies, names between spaces; empty for those that RARL or its code pushes, "
        "else the first that moves, and for all masses",
    )
    geoms: str = Field("", description="friction: which geoms, names between spaces; empty for all that touch")
    joints: str = Field("", description="damping: which joints, names between spaces; empty for all that are damped")
    norm: Literal["l2", "linf"] = Field(
        "l2", description="force: whether the budget bounds the length of each body's push, or each of its axes"
    )


class Dynamics(ThreatModel):
    """Bodies are pushed by forces up to the budget (RARL), or parameters differ from nominal by a part up to it."""

    name: ClassVar[str] = "dynamics"
    summary: ClassVar[str] = "bodies are pushed at every step, or mass, friction or damping is changed for an episode"
    source: ClassVar[str] = "Pinto, Davidson, Sukthankar, Gupta 2017 (RARL), sections 3 and 4.1"
    forms: ClassVar[frozenset[Form]] = frozenset({Form.SIMULATED})
    budget: ClassVar[BudgetKind] = FORCE_BOUND
    Options: ClassVar[type[PluginOptions]] = DynamicsOptions

    def budget_kind(self, form: Form) -> BudgetKind:
        """Newtons of a force, parts of the nominal value of a parameter."""
        return FORCE_BOUND if self.options.what == "force" else RELATIVE_CHANGE

    def access(self, game: Game, victim_player: int | None, benign: Policy | None) -> Access:
        """The named bodies, geoms or joints, or the usual ones."""
        what, where = self.options.what, f"threat dynamics on {game.spec}"
        if not isinstance(game, SimulatedGame) or not game.knobs:
            raise RefusedError(
                f"{where}: its worlds offer no forces or parameters to change; those of MuJoCo's robots do, such as "
                "gym:InvertedPendulum-v5, and threats observation and action fit here"
            )
        for option in ("bodies", "geoms", "joints"):
            if getattr(self.options, option) and option != PLACES[what]:
                raise RequestError(f"{where}: {option} says nothing of {what}; give {PLACES[what]}, or leave it out")
        known = {knob.target: knob for knob in game.knobs if knob.kind == what}
        if not known:
            raise RefusedError(f"{where}: nothing there has a {what} to change")
        chosen = _names(getattr(self.options, PLACES[what]), known, f"{where}: {what}")
        chosen = chosen or [name for name, knob in known.items() if knob.usual]
        if what == "force":
            return DynamicsAccess(bodies=tuple(chosen), ball=Ball("2" if self.options.norm == "l2" else "inf"))
        return DynamicsAccess(parameters=tuple(known[name].name for name in chosen))


def _names(text: str, known: Iterable[str], where: str) -> list[str]:
    """Names from an option.

    Raises:
        RequestError: there is nothing of that name; the line says the nearest.
    """
    names = list(dict.fromkeys(text.replace(",", " ").split()))
    for name in names:
        if name not in known:
            raise RequestError(f"{where} of {name!r}: there is none; {nearest(name, known)}")
    return names


@hookimpl
def sparring_threat_models() -> list[type[ThreatModel]]:
    """Give `dynamics`."""
    return [Dynamics]
