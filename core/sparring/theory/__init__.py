"""What the papers prove, as functions: inequalities with both sides computed, and reductions between games."""

from __future__ import annotations

from sparring.theory.adversary_mdp import adversary_mdp
from sparring.theory.divergence import CHI_SQUARED, HELLINGER, KULLBACK_LEIBLER, TOTAL_VARIATION, Divergence
from sparring.theory.inequality import Inequality
from sparring.theory.joint_play import greatest_divergence, joint_value, joint_visitation
from sparring.theory.mismatch import MismatchCoefficient, mismatch_against, mismatch_coefficient
from sparring.theory.mixed_game import mixed_game
from sparring.theory.observation_gap import observation_gap, printed_constant, sound_constant
from sparring.theory.observation_pomdp import ObservationPomdp, observation_pomdp
from sparring.theory.transition_discrepancy import marginal_transition, transition_discrepancy
from sparring.theory.value_discrepancy import value_discrepancy
from sparring.theory.visitation_discrepancy import visitation_discrepancy

__all__ = [
    "CHI_SQUARED",
    "HELLINGER",
    "KULLBACK_LEIBLER",
    "TOTAL_VARIATION",
    "Divergence",
    "Inequality",
    "MismatchCoefficient",
    "ObservationPomdp",
    "adversary_mdp",
    "greatest_divergence",
    "joint_value",
    "joint_visitation",
    "marginal_transition",
    "mismatch_against",
    "mismatch_coefficient",
    "mixed_game",
    "observation_gap",
    "observation_pomdp",
    "printed_constant",
    "sound_constant",
    "transition_discrepancy",
    "value_discrepancy",
    "visitation_discrepancy",
]
