"""The policy that a saved run ended with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from sparring import hookimpl
from sparring.errors import RequestError
from sparring.files import write_text
from sparring.game import Game
from sparring.policy import Policy
from sparring.source import PolicyLoader
from sparring_plugins.policies import _samples
from sparring_plugins.policies.file import File


class SavedRun(PolicyLoader):
    """The policy in the folder that `sparring solve --out` wrote."""

    name: ClassVar[str] = "run"
    summary: ClassVar[str] = "the policy of a folder that `sparring solve --out` wrote"
    takes: ClassVar[str | None] = "FOLDER"

    def samples(self, folder: Path, game: Game) -> Sequence[str]:
        """The folder of a run that ended with a network."""
        made = _samples.network_of(game)
        if made is None:
            return ()
        document = {"schema": "sparring.policy/1", "game": game.spec, **made.to_document()}
        write_text(folder / "policy.json", json.dumps(document))
        return (str(folder),)

    def load(self, argument: str, game: Game | None, player: int | None) -> Policy:
        """Read `policy.json` of the folder."""
        folder = Path(argument).expanduser()
        if not (folder / "policy.json").is_file():
            raise RequestError(f"run {folder}: holds no policy.json, as 'sparring solve --out {folder}' writes it")
        return File().load(str(folder / "policy.json"), game, player)


@hookimpl
def sparring_policy_loaders() -> list[type[PolicyLoader]]:
    """Give `run`."""
    return [SavedRun]
