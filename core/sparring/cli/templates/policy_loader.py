"""A policy drawn at random, the same for the same seed."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from sparring import hookimpl
from sparring.errors import RefusedError, RequestError
from sparring.forms import Form
from sparring.game import Game
from sparring.markov.policy import MarkovPolicy
from sparring.matrix.policy import MatrixPolicy
from sparring.plugin import PluginOptions
from sparring.policy import Policy
from sparring.source import PolicyLoader
from sparring.streams import stream


class TemplateNamePoliciesOptions(PluginOptions):
    """Options of `template-name`."""

    seed: int = Field(0, ge=0, description="where the randomness starts")
    concentration: float = Field(1.0, gt=0, description="small values give nearly deterministic policies")


class TemplateNamePolicies(PolicyLoader):
    """Probabilities drawn from a Dirichlet distribution at every decision point.

    A loader that reads files declares `takes = "PATH"`, is asked for by `template-name:PATH`, and never runs
    anything that a file holds.
    """

    name: ClassVar[str] = "template-name"
    summary: ClassVar[str] = "a random policy, such as `template-name(seed=3)`"
    interface: ClassVar[int] = 1
    forms: ClassVar[frozenset[Form]] = frozenset({Form.MATRIX, Form.MARKOV})
    takes: ClassVar[str | None] = None
    Options: ClassVar[type[PluginOptions]] = TemplateNamePoliciesOptions

    def load(self, argument: str, game: Game | None, player: int | None) -> Policy:
        """The policy of a seat."""
        if game is None:
            raise RequestError(f"policy '{self.name}': needs the game it is to act in")
        uniform = game.uniform_policy(player)
        if not isinstance(uniform, MatrixPolicy | MarkovPolicy):
            raise RefusedError(f"policy '{self.name}' on {game.spec}: needs a matrix or markov game")
        shape = uniform.probabilities.shape
        weights = stream(self.options.seed, self.name).gamma(self.options.concentration, size=shape) + 1e-300
        return game.make_policy(weights / weights.sum(axis=-1, keepdims=True), player)


@hookimpl
def sparring_policy_loaders() -> list[type[PolicyLoader]]:
    """Give `template-name`."""
    return [TemplateNamePolicies]
