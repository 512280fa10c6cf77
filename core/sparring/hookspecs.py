"""The seven doors: one hook for each kind of plugin. Each returns a list of plugin classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from sparring.bounds import BoundBackend
    from sparring.metric import Metric
    from sparring.oracle import Oracle
    from sparring.solver import Solver
    from sparring.source import GameSource, PolicyLoader
    from sparring.threat import ThreatModel

__all__ = ["HOOKS", "hookimpl", "hookspec"]

hookspec = pluggy.HookspecMarker("sparring")
hookimpl = pluggy.HookimplMarker("sparring")

HOOKS = {
    "game": "sparring_games",
    "threat-model": "sparring_threat_models",
    "oracle": "sparring_oracles",
    "solver": "sparring_solvers",
    "bound-backend": "sparring_bound_backends",
    "metric": "sparring_metrics",
    "policy-loader": "sparring_policy_loaders",
}
"""The hook of each kind."""


@hookspec
def sparring_games() -> Sequence[type[GameSource]]:  # type: ignore[empty-body]  # pluggy calls the implementations
    """Give the families of games this plugin adds."""


@hookspec
def sparring_threat_models() -> Sequence[type[ThreatModel]]:  # type: ignore[empty-body]  # as above
    """Give the threat models this plugin adds."""


@hookspec
def sparring_oracles() -> Sequence[type[Oracle]]:  # type: ignore[empty-body]  # as above
    """Give the oracles this plugin adds."""


@hookspec
def sparring_solvers() -> Sequence[type[Solver]]:  # type: ignore[empty-body]  # as above
    """Give the solvers this plugin adds."""


@hookspec
def sparring_bound_backends() -> Sequence[type[BoundBackend]]:  # type: ignore[empty-body]  # as above
    """Give the bound backends this plugin adds."""


@hookspec
def sparring_metrics() -> Sequence[type[Metric]]:  # type: ignore[empty-body]  # as above
    """Give the metrics this plugin adds."""


@hookspec
def sparring_policy_loaders() -> Sequence[type[PolicyLoader]]:  # type: ignore[empty-body]  # as above
    """Give the policy loaders this plugin adds."""
