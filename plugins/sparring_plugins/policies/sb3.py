"""Agents of stable-baselines3."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from sparring import hookimpl
from sparring.errors import RequestError, nearest
from sparring.forms import Form
from sparring.game import Game
from sparring.policy import Policy
from sparring.source import PolicyLoader
from sparring_plugins.policies import _samples
from sparring_plugins.policies._path_options import path_options

KNOWN = ("acts", "normalisation")
USUAL = "vecnormalize.pkl"
"""Where statistics lie that belong to the archive beside them."""
ACTS = ("greedy", "sample")


class StableBaselines(PolicyLoader):
    """An archive of stable-baselines3 (PPO, A2C, DQN, SAC, TD3, DDPG), read without running what is pickled in it.

    `sb3:agent.zip(normalisation=vecnormalize.pkl)` takes the statistics of VecNormalize along, by a path from the
    archive's folder; `acts=sample` draws actions where the algorithm has a distribution, as training does.
    """

    name: ClassVar[str] = "sb3"
    summary: ClassVar[str] = "an archive of stable-baselines3, with VecNormalize statistics by option"
    source: ClassVar[str] = "Raffin et al. 2021 (Stable-Baselines3)"
    forms: ClassVar[frozenset[Form]] = frozenset({Form.SIMULATED})
    takes: ClassVar[str | None] = "PATH"

    def samples(self, folder: Path, game: Game) -> Sequence[str]:
        """An actor of PPO, greedy and drawing."""
        return _samples.archive(folder, game)

    def load(self, argument: str, game: Game | None, player: int | None) -> Policy:
        """Read the archive and fit it to the game.

        Raises:
            RequestError: it is missing, none, of an unknown algorithm, or does not fit; or statistics lie beside it
                and nothing says whether to use them.
        """
        path, options = path_options(argument)
        for name in options:
            if name not in KNOWN:
                raise RequestError(f"sb3:{argument}: there is no option {name!r}; {nearest(name, KNOWN)}")
        acts = options.get("acts", "greedy")
        if acts not in ACTS:
            raise RequestError(f"sb3:{argument}: acts={acts}, choose from: {', '.join(ACTS)}")
        if not path.exists():
            raise RequestError(f"{path}: there is no such file")
        if path.is_dir():
            raise RequestError(f"{path}: a folder, expected an archive such as agent.zip")
        statistics = _statistics_file(path, options.get("normalisation"))
        return _loaded(path, statistics, str(acts), game)


def _statistics_file(path: Path, asked: object) -> Path | None:
    """Where the statistics are.

    Raises:
        RequestError: some lie beside the archive and nothing says whether to use them.
    """
    if asked == "none":
        return None
    if asked is not None:
        return path.parent / str(asked)
    if (path.parent / USUAL).is_file():
        ways = f"sb3:{path}(normalisation={USUAL}) or sb3:{path}(normalisation=none)"
        raise RequestError(f"{path}: {USUAL} lies beside it, and nothing says whether the agent needs it: say {ways}")
    return None


def _loaded(path: Path, statistics: Path | None, acts: str, game: Game | None) -> Policy:
    from sparring_plugins.networks.fitting import fitted
    from sparring_plugins.networks.policy import NetworkPolicy
    from sparring_plugins.policies._sb3_archive import read_archive
    from sparring_plugins.policies._sb3_networks import described
    from sparring_plugins.policies._statistics import read_statistics

    who = str(path)
    told, tensors = described(read_archive(path), who)
    description: dict[str, Any] = {"name": path.stem, "role": "victim", "family": "stable-baselines3", **told}
    if told["policy"]["kind"] == "nature":
        shape = tuple(told["policy"]["input"])
        tensors |= {"obs_mean": np.zeros(shape), "obs_std": np.full(shape, 255.0)}
        description["observation_normalisation"] = {"clip": None, "epsilon": 0.0}
    if statistics is not None:
        frozen = read_statistics(statistics)
        tensors |= {"obs_mean": np.array(frozen.mean), "obs_std": np.array(frozen.deviation)}
        description["observation_normalisation"] = {"clip": frozen.clip, "epsilon": 0.0}
    if game is None and ("clip_action" in told or "rescale_action" in told):
        raise RequestError(f"{path}: its actions are fitted to an action space; load it with the game it acts in")
    policy = fitted(NetworkPolicy(description, tensors), game, who)
    return policy.sampled() if acts == "sample" else policy


@hookimpl
def sparring_policy_loaders() -> list[type[PolicyLoader]]:
    """Give `sb3`."""
    return [StableBaselines]
