"""Policies from files; nothing in a file is ever run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from sparring import hookimpl
from sparring.array_files import read_npz
from sparring.errors import RequestError
from sparring.forms import Form
from sparring.game import Game
from sparring.policy import Mixture, Policy
from sparring.source import PolicyLoader
from sparring_plugins.policies import _samples
from sparring_plugins.policies._pairs import is_pair


class File(PolicyLoader):
    """A policy from a JSON document, an npz array, or the portable pair of a network.

    JSON holds what a run saved, an array, or a mapping from information state to action to probability.
    An npz holds one array named `probabilities`. A pair is NAME.safetensors with NAME.json beside it, either named.
    """

    name: ClassVar[str] = "file"
    summary: ClassVar[str] = "a policy from a .json, .npz or .safetensors file"
    takes: ClassVar[str | None] = "PATH"

    def samples(self, folder: Path, game: Game) -> Sequence[str]:
        """Networks for simulated games."""
        return _samples.pairs(folder, game)

    def load(self, argument: str, game: Game | None, player: int | None) -> Policy:
        """Read the file and fit it to the game.

        Raises:
            RequestError: the file is missing, is not what it claims to be, or is for another game or seat.
        """
        path = Path(argument).expanduser()
        if is_pair(path):
            from sparring_plugins.policies._portable import load_pair

            return load_pair(path, game, player)
        if game is None:
            raise RequestError(f"policy 'file:{argument}': needs the game it is for")
        data = _read_npz(path) if path.suffix == ".npz" else _read_json(path)
        try:
            return _fitted(data, game, player)
        except RequestError as error:
            raise RequestError(f"{path}: {error}") from error


def _fitted(data: object, game: Game, player: int | None) -> Policy:
    """The policy of a game and seat that the data describe, mixtures included."""
    if not isinstance(data, Mapping) or data.get("kind") != "mixture":
        if isinstance(data, Mapping) and data.get("kind") == "network" and game.form is Form.SIMULATED:
            return _network(data, game)
        return game.make_policy(data, player)
    parts, weights = data.get("policies"), data.get("weights")
    if not isinstance(parts, list) or not isinstance(weights, list):
        raise RequestError("a mixture needs lists of 'policies' and 'weights'")
    if data.get("game") not in (None, game.spec):
        raise RequestError(f"policy for {game.spec}: made for {data['game']}")
    try:
        shares = tuple(float(weight) for weight in weights)
    except (TypeError, ValueError):
        raise RequestError("the weights of a mixture are not numbers") from None
    return Mixture(tuple(_fitted(part, game, player) for part in parts), shares)


def _network(data: Mapping[str, object], game: Game) -> Policy:
    """The network of a policy's document, as a run saves it."""
    from sparring_plugins.networks.fitting import fitted
    from sparring_plugins.networks.policy import NetworkPolicy

    return fitted(NetworkPolicy.of_document(data), game, "policy")


def _read_npz(path: Path) -> object:
    arrays = read_npz(path)
    if "probabilities" not in arrays:
        raise RequestError(f"{path}: holds no array named 'probabilities'")
    return arrays["probabilities"]


def _read_json(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RequestError(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{path}: not JSON: {error}") from error


@hookimpl
def sparring_policy_loaders() -> list[type[PolicyLoader]]:
    """Give `file`."""
    return [File]
