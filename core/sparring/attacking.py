"""Puts a game, a threat and a budget together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sparring.access import ChargedAccess, OpponentAccess
from sparring.attack_game import AttackGame
from sparring.budgets import Budget, BudgetKind
from sparring.errors import RefusedError, RequestError
from sparring.forms import Form
from sparring.game import Game
from sparring.policy import Mixture
from sparring.policy_specs import describe, resolve_policy
from sparring.registry import PluginError, Registry, default_registry

if TYPE_CHECKING:
    from sparring.policy import Policy
    from sparring.threat import ThreatModel

__all__ = ["attack"]


def attack(
    game: Game | str,
    threat: str | ThreatModel | Sequence[str | ThreatModel] = "partial-control",
    budget: float | Sequence[float] = 1.0,
    *,
    victim_player: int | None = None,
    benign: Policy | str | object | None = None,
    registry: Registry | None = None,
) -> AttackGame:
    """Make the attack game: what the attacker may touch in `game`, charged against the budget.

    Args:
        game: a game or its spec.
        threat: a threat model or its spec; a sequence composes several.
        budget: one number for each threat.
        victim_player: the victim's seat; 0 if left open in a two-player game, None in one-agent games.
        benign: what the other seat does where the attacker has no control; a policy, its spec, or data that
            the game makes a policy of. Required by partial control at budgets below 1, refused by threats
            in which there is no other agent.
        registry: where plugins come from; the installed ones if None.

    Raises:
        RequestError: an unknown name, an illegal budget or seat, or a benign policy missing or refused.
    """
    known = default_registry() if registry is None else registry
    world = known.load_game(game) if isinstance(game, str) else game
    seat = world.check_seat(victim_player)
    threats = [threat] if isinstance(threat, str) or not isinstance(threat, Sequence) else list(threat)
    several = isinstance(budget, Sequence | np.ndarray) and not isinstance(budget, str)
    budgets: list[Any] = list(budget) if several else [budget]  # type: ignore[arg-type]  # several, as just seen
    if not threats:
        raise RequestError("threat: none is named; name one, for example 'partial-control'")
    if len(threats) != len(budgets):
        raise RequestError(f"{len(threats)} threats with {len(budgets)} budgets: give each threat its budget")
    models = [_model(known, item) for item in threats]
    if benign is not None and not any(model.benign == "used" for model in models):
        names = ", ".join(model.name for model in models)
        raise RequestError(f"benign: refused by {names}, which has no other agent; leave it out")
    charged = [_charge(known, world, seat, model, value, benign) for model, value in zip(models, budgets, strict=True)]
    return world.attack_game(charged, seat)


def _model(registry: Registry, threat: str | ThreatModel) -> ThreatModel:
    from sparring.threat import ThreatModel

    model = registry.create("threat-model", threat) if isinstance(threat, str) else threat
    if not isinstance(model, ThreatModel):
        raise RequestError(f"threat: {threat!r} is no threat model")
    return model


def _benign(policy: Policy, game: Game, seat: int | None) -> Policy:
    """Return the benign policy when it acts in the other seat of this form of game, decision by decision."""
    if isinstance(policy, Mixture):
        raise RequestError(
            f"benign: a mixture drawn once an episode, but {game.spec} needs one policy; give one of them"
        )
    if policy.form is not game.form:
        raise RequestError(f"benign: a {policy.form} policy, but {game.spec} needs a {game.form} one")
    player = getattr(policy, "player", None)
    if player is not None and player == (seat or 0):
        raise RequestError(f"benign: a policy for seat {player}, where the victim sits; give one for {1 - player}")
    return policy


def _charge(
    registry: Registry, game: Game, seat: int | None, model: ThreatModel, value: float, benign: object
) -> ChargedAccess:
    model.check_form(game)
    budget = charged_budget(model, value, game.form)
    other = None
    if model.benign == "used":
        if game.players != 2:
            raise RefusedError(f"threat {model.name} on {game.spec}: needs another agent, the game has one")
        if benign is None and budget.value < 1:
            raise RequestError(f"benign: required by {model.name} at a budget below 1, for example benign='uniform'")
        other = None if benign is None else _benign(resolve_policy(benign, game, 1 - (seat or 0), registry), game, seat)
    access = model.access(game, seat, other)
    if isinstance(access, OpponentAccess) and access.benign is not other:
        raise PluginError(f"threat {model.name}: puts a benign policy of its own in place of the given one")
    name = describe(benign) if other is not None else None
    options = model.options.model_dump(mode="json")
    return ChargedAccess(access, budget, model.name, options, name, model.announced, model.nested)


def charged_budget(model: ThreatModel, value: float, form: Form) -> Budget:
    """The budget that is charged; made by the core, whatever the threat model declares.

    Raises:
        PluginError: the threat's kind of budget is not the core's class.
        RequestError: the value is outside the legal range.
    """
    kind = model.budget_kind(form)
    if type(kind) is not BudgetKind:
        raise PluginError(f"threat {model.name}: its budget is no plain BudgetKind")
    return kind.budget(value)
