"""The seven kinds of plugins and their base classes."""

from __future__ import annotations

from sparring.bounds import BoundBackend
from sparring.metric import Metric
from sparring.oracle import Oracle
from sparring.plugin import Plugin
from sparring.solver import Solver
from sparring.source import GameSource, PolicyLoader
from sparring.threat import ThreatModel

__all__ = ["BASES"]

BASES: dict[str, type[Plugin]] = {
    base.kind: base for base in (GameSource, ThreatModel, Oracle, Solver, BoundBackend, Metric, PolicyLoader)
}
"""The base class of each kind."""
