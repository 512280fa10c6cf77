"""Games of the simulated form: one agent in a world that can only be stepped."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from sparring.errors import RequestError
from sparring.forms import Form
from sparring.game import Game
from sparring.simulated.knobs import Knob
from sparring.simulated.spaces import Space
from sparring.simulated.world import World

if TYPE_CHECKING:
    from sparring.access import ChargedAccess
    from sparring.attack_game import AttackGame
    from sparring.policy import Policy

__all__ = ["SimulatedGame"]


@dataclass(frozen=True, eq=False)
class SimulatedGame(Game):
    """A game known by its spaces and by the worlds it makes."""

    form: ClassVar[Form] = Form.SIMULATED

    spec: str
    observation: Space
    action: Space
    time_limit: int | None
    """Steps after which an episode is cut; None where it goes on until its own end."""
    least: float | None
    """A number that no undiscounted return of an episode is below; None where none is known."""

    zero_sum: bool = field(default=False, init=False)

    @property
    def players(self) -> int:
        """One agent."""
        return 1

    @abstractmethod
    def world(self, size: int, workers: int = 0) -> World:
        """Make a world.

        Args:
            size: how many episodes it can hold at once.
            workers: how many processes share them; 0 for this process alone.
        """

    @property
    def knobs(self) -> tuple[Knob, ...]:
        """What may be changed of its dynamics; its worlds are `Tunable` where there is anything."""
        return ()

    def fitting(self, shape: tuple[int, ...]) -> str | None:
        """The spec of a relative of this game whose observations have that shape, where one is known."""
        return None

    def uniform_policy(self, player: int | None) -> Policy:
        """Every action with the same probability.

        Raises:
            RefusedError: actions have no limits.
        """
        from sparring.simulated.uniform import UniformPolicy

        return UniformPolicy.of(self.action, self.spec)

    def make_policy(self, data: object, player: int | None) -> Policy:
        """Make a policy of what its `to_document` gave, as runs and files keep it, or of a callable.

        A callable maps observations [batch, *observation] to actions [batch, *action].

        Raises:
            RefusedError: it is anything else.
        """
        from sparring.simulated.callables import CallablePolicy
        from sparring.simulated.documents import restored

        if isinstance(data, Mapping) and "kind" in data:
            return restored(data, self)
        if callable(data):
            return CallablePolicy(_named(data), data)
        return super().make_policy(data, player)

    def check_observation(self, shape: tuple[int, ...], who: str, made_for: str | None = None) -> None:
        """Refuse a policy that takes observations of another shape.

        Args:
            shape: what it takes.
            who: the policy, for messages.
            made_for: the spec of the game it was trained in, where it says so.

        Raises:
            RequestError: the line says both sizes, and the setting that would fit where one is known.
        """
        if self.observation.shape == shape:
            return
        fit = made_for if made_for is not None else self.fitting(shape)
        remedy = f"; {fit} would fit" if fit is not None else ""
        raise RequestError(f"{who}: takes observations {list(shape)}, {self.spec} gives {self.observation}{remedy}")

    def attack_game(self, charged: Sequence[ChargedAccess], victim_player: int | None) -> AttackGame:
        """The attack game, whose values are sampled.

        Raises:
            RefusedError: this form cannot be touched in one of those ways.
        """
        from sparring.simulated.attack_game import SimulatedAttackGame

        return SimulatedAttackGame(self, charged)


def _named(data: Callable[..., Any]) -> str:
    return f"{getattr(data, '__module__', '?')}:{getattr(data, '__qualname__', type(data).__name__)}"
