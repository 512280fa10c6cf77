"""Policies from specs, and from what users hand over instead of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparring.errors import RequestError
from sparring.policy import Policy
from sparring.registry import Registry, default_registry
from sparring.specs import parse
from sparring.trust import trusting

if TYPE_CHECKING:
    from sparring.game import Game
    from sparring.source import PolicyLoader

__all__ = ["describe", "load_policy", "load_with", "resolve_policy"]


def load_policy(
    spec: str,
    game: Game | None = None,
    player: int | None = None,
    *,
    trust: bool = False,
    registry: Registry | None = None,
) -> Policy:
    """Load a policy from a spec such as `uniform`, `equilibrium` or `file:PATH`.

    Args:
        spec: `name`, `name(options)` or `name:argument` of a policy loader.
        game: the game it is to act in; needed by loaders that do not read a file.
        player: the seat; None in one-agent games.
        trust: whether you consent to the code that this spec names, which is run; few do, and say so without it.
        registry: where plugins come from; the installed ones if None.

    Raises:
        RequestError: no such loader, or it cannot load that.
    """
    if trust:
        with trusting([spec]):
            return load_policy(spec, game, player, registry=registry)
    from sparring.source import PolicyLoader

    known = default_registry() if registry is None else registry
    parsed = parse(spec)
    loader_class = known.load(known.find("policy-loader", parsed.family or parsed.name))
    assert issubclass(loader_class, PolicyLoader)
    return load_with(loader_class, spec, game, player)


def load_with(loader_class: type[PolicyLoader], spec: str, game: Game | None, player: int | None) -> Policy:
    """Load what a spec names with the loader that it names.

    Raises:
        RequestError: the loader takes no such argument or option, or cannot load that.
    """
    parsed = parse(spec)
    loader_name, argument = (parsed.name, "") if parsed.family is None else (parsed.family, parsed.name)
    if loader_class.takes is None and argument:
        raise RequestError(f"policy {spec!r}: {loader_name} takes nothing after a colon")
    if loader_class.takes is not None and not argument:
        raise RequestError(f"policy {spec!r}: expected {loader_name}:{loader_class.takes}")
    whole = loader_class.takes is not None and parsed.options and not loader_class.Options.model_fields
    if whole:
        argument = str(parsed).partition(":")[2]
    loader = loader_class.configured({} if whole else dict(parsed.options))
    if game is not None:
        loader.check_form(game)
    return loader.load(argument, game, player)


def resolve_policy(given: object, game: Game, player: int | None, registry: Registry | None = None) -> Policy:
    """A policy from a policy, a spec, or data that the game makes a policy of."""
    if isinstance(given, Policy):
        return given
    if isinstance(given, str):
        return load_policy(given, game, player, registry=registry)
    return game.make_policy(given, player)


def describe(given: object) -> str:
    """What the document says of a policy: its spec, or what sort of object was handed over."""
    return given if isinstance(given, str) else f"python:{type(given).__name__}"
