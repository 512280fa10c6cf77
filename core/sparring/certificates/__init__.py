"""Certificates for policies: what no attacker within the budget can make of an action, or of a return.

Every function works with any bound backend, given by name or as an object. What a backend cannot bound is unknown,
and unknown is never safe.
"""

from __future__ import annotations

from sparring.certificates.actions import CertifiedActions, certify_actions
from sparring.certificates.branching import CertifiedSeed
from sparring.certificates.changes import ActionChange, action_change
from sparring.certificates.gaussian import GaussianChange, gaussian_change
from sparring.certificates.limits import SearchLimits
from sparring.certificates.radius import CertifiedRadius, certified_radius
from sparring.certificates.ranges import OutputRange, output_range
from sparring.certificates.regions import Normalisation, observation_region
from sparring.certificates.returns import certify_return
from sparring.certificates.rollouts import CertifiedRollout, certify_rollout
from sparring.certificates.simulator import Simulator
from sparring.certificates.tabular import TabularBound, compare_with_exact, total_variation_certificate
from sparring.certificates.victims import HasRecurrentModule, greedy_module, recurrent_module

__all__ = [
    "ActionChange",
    "CertifiedActions",
    "CertifiedRadius",
    "CertifiedRollout",
    "CertifiedSeed",
    "GaussianChange",
    "HasRecurrentModule",
    "Normalisation",
    "OutputRange",
    "SearchLimits",
    "Simulator",
    "TabularBound",
    "action_change",
    "certified_radius",
    "certify_actions",
    "certify_return",
    "certify_rollout",
    "compare_with_exact",
    "gaussian_change",
    "greedy_module",
    "observation_region",
    "output_range",
    "recurrent_module",
    "total_variation_certificate",
]
