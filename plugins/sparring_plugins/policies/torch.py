"""A torch module of the user's own with its state dict."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from sparring import hookimpl
from sparring.errors import RequestError
from sparring.forms import Form
from sparring.game import Game
from sparring.plugin import PluginOptions
from sparring.policy import Policy
from sparring.source import PolicyLoader
from sparring.specs import Spec
from sparring_plugins.policies import _samples
from sparring_plugins.policies._imports import imported

if TYPE_CHECKING:
    from torch import nn


class TorchOptions(PluginOptions):
    """Options of `torch`."""

    module: str = Field("", description="the module's class as `package.module:Class`")
    arguments: str = Field("{}", description="what the class is called with, as a JSON object")
    gives: Literal["action", "logits", "values"] = Field("action", description="what the outputs are")


class Torch(PolicyLoader):
    """A module that maps observations [batch, *observation] to actions, logits or action values, and its state dict.

    The state is read weights-only. The module's class is imported, which runs code and needs consent.
    """

    name: ClassVar[str] = "torch"
    summary: ClassVar[str] = (
        "a torch module with its state dict, `torch:net.pt(module=package.nets:Actor)`; needs consent"
    )
    forms: ClassVar[frozenset[Form]] = frozenset({Form.SIMULATED})
    takes: ClassVar[str | None] = "PATH"
    Options: ClassVar[type[PluginOptions]] = TorchOptions

    def samples(self, folder: Path, game: Game) -> Sequence[str]:
        """A linear layer of torch."""
        return _samples.state_dict(folder, game)

    def load(self, argument: str, game: Game | None, player: int | None) -> Policy:
        """Import the class, make the module and put its state in.

        Raises:
            RequestError: no consent, no such class, or a state that is none or does not fit it.
        """
        spec = str(Spec("torch", argument, self.options.model_dump(exclude_unset=True)))
        if game is not None and game.form is not Form.SIMULATED:
            raise RequestError(f"{spec}: modules act in simulated games, {game.spec} is {game.form}")
        from sparring_plugins.networks.own_module import ModulePolicy, filled, read_state

        state = read_state(Path(argument).expanduser())
        if not self.options.module:
            raise RequestError(
                f"{spec}: tensors alone are no policy; say torch:{argument}(module=package.module:Class)"
            )
        made = _made(imported(self.options.module, spec), self.options.arguments, spec)
        return ModulePolicy(spec, filled(made, state, spec), self.options.gives)


def _made(kind: Any, arguments: str, spec: str) -> nn.Module:
    import torch
    from torch import nn

    try:
        given = json.loads(arguments)
    except ValueError as error:
        raise RequestError(f"{spec}: arguments are no JSON: {error}") from error
    if not isinstance(given, dict):
        raise RequestError(f"{spec}: arguments={arguments}, expected a JSON object by name")
    try:
        with torch.random.fork_rng(devices=[]):  # new layers draw their weights from the global generator
            found = kind(**given)
    except Exception as error:  # it is the user's own code
        raise RequestError(f"{spec}: calling the class fails: {type(error).__name__}: {error}") from error
    if not isinstance(found, nn.Module):
        raise RequestError(f"{spec}: gives a {type(found).__name__}, expected a torch module")
    return found


@hookimpl
def sparring_policy_loaders() -> list[type[PolicyLoader]]:
    """Give `torch`."""
    return [Torch]
