"""Which policies a certificate of actions and returns can speak of, and their networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from sparring.acting import HasModule
from sparring.errors import RefusedError
from sparring.policy import Ability, Policy

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["HasRecurrentModule", "greedy_module", "recurrent_module", "stepping"]


@runtime_checkable
class HasRecurrentModule(Protocol):
    """What a policy that declares `Ability.RECURRENT` must offer, so that its state can be carried as a region."""

    def recurrent_module(self) -> nn.Module:
        """The network of one step: `(observation, state) -> (values, next state)`, frozen normalisation included.

        Observations are [batch, *features], states [batch, width], values [batch, actions].
        """

    def first_state(self) -> Tensor:
        """The state in which every episode starts, [width]."""


def greedy_module(policy: Policy) -> nn.Module:
    """The network of a memoryless policy that takes the action of the greatest output.

    Raises:
        RefusedError: the policy declares no network, is recurrent, or does not always act the same.
    """
    _check_greedy(policy)
    if Ability.RECURRENT in policy.abilities:
        raise RefusedError(f"certificate: {type(policy).__name__} is recurrent, so an observation decides no action")
    if Ability.MODULE not in policy.abilities or not isinstance(policy, HasModule):
        raise RefusedError(f"certificate: {type(policy).__name__} declares no network (ability module)")
    return policy.module()


def recurrent_module(policy: Policy) -> tuple[nn.Module, Tensor]:
    """The network of one step of a recurrent greedy policy, and its first state.

    Raises:
        RefusedError: the policy does not offer its state as numbers, or does not always act the same.
    """
    _check_greedy(policy)
    return stepping(policy)


def stepping(policy: Policy) -> tuple[nn.Module, Tensor]:
    """The network of one step of a recurrent policy, and its first state.

    Raises:
        RefusedError: the policy does not offer its state as numbers.
    """
    if not isinstance(policy, HasRecurrentModule):
        raise RefusedError(
            f"certificate: {type(policy).__name__} is recurrent and does not offer its state "
            "(recurrent_module and first_state)"
        )
    return policy.recurrent_module(), policy.first_state()


def _check_greedy(policy: Policy) -> None:
    if Ability.DETERMINISTIC not in policy.abilities:
        raise RefusedError(
            f"certificate: {type(policy).__name__} does not declare that it always acts the same (ability "
            "deterministic); only greedy policies have certified actions"
        )
