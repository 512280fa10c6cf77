"""An attack game as ordinary environments, in which any library of reinforcement learning can attack or defend.

Gymnasium and PettingZoo are imported when an environment is made.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from sparring.attack_game import AttackGame, Side
from sparring.errors import RefusedError, RequestError
from sparring.policy import Policy
from sparring.policy_specs import resolve_policy

if TYPE_CHECKING:
    from sparring.simulated._gymnasium_env import SideEnv
    from sparring.simulated._pettingzoo_env import BothEnv
    from sparring.simulated._vector_env import SideVectorEnv
    from sparring.simulated.attack_game import SimulatedAttackGame
    from sparring.simulated.spaces import Space
    from sparring.simulated.views import AttackerView, VictimView

__all__ = ["attacker_env", "parallel_env", "vector_env", "victim_env"]


def attacker_env(duel: AttackGame, victim: Policy | str) -> SideEnv:
    """The attacker's view, as a `gymnasium.Env` with the victim inside.

    It observes what the victim would see without attack, behind the victim's normalisation where the attack works
    there; it acts by proposals from -1 to 1 in units of the budget, which the core charges; its reward is minus the
    victim's. `info["deployed"]` says what was made of a proposal: by threat what the victim saw and the world was sent,
    and what knobs of the dynamics stand at. `reset(seed=...)` begins the episode that `duel.play` plays with that seed.

    Args:
        duel: of the simulated form.
        victim: a policy, a mixture of which a part is drawn in each episode, or a spec.

    Raises:
        RefusedError: the game is of another form.
        RequestError: Gymnasium is missing, or the victim does not fit.
    """
    _need("gymnasium")
    from sparring.simulated._gymnasium_env import SideEnv

    return SideEnv(*_one_side(duel, Side.ATTACKER, victim))


def victim_env(duel: AttackGame, attacker: Policy | None = None) -> SideEnv:
    """The victim's view, as a `gymnasium.Env` with the attacker inside; None for a victim that nobody attacks.

    It observes what the attacker leaves of the truth and has the actions and the reward of the game itself.

    Raises:
        RefusedError: the game is of another form, the attack works behind the victim's normalisation, of which nothing
            is known here (say `space=raw`), or the attacker reads the victim, which is still learning.
        RequestError: Gymnasium is missing, or the attacker does not fit.
    """
    _need("gymnasium")
    from sparring.simulated._gymnasium_env import SideEnv

    return SideEnv(*_one_side(duel, Side.VICTIM, attacker))


def vector_env(duel: AttackGame, side: Side, against: Policy | str | None, size: int) -> SideVectorEnv:
    """Either view as a `gymnasium.vector.VectorEnv`: `size` episodes stepped in one batch, begun anew as they end.

    It is in the mode `AutoresetMode.SAME_STEP`: where an episode ends the observation is the next one's first, and
    `info["final_obs"]` has the last one's. `reset(seed=s)` begins with seeds `s`, `s + 1` and so on.

    Raises:
        RefusedError: as in `attacker_env` and `victim_env`.
        RequestError: as there.
    """
    _need("gymnasium")
    from sparring.simulated._vector_env import SideVectorEnv

    return SideVectorEnv(*_one_side(duel, side, against, size))


def parallel_env(duel: AttackGame) -> BothEnv:
    """Both views, as a `pettingzoo.ParallelEnv` of two agents, `victim` and `attacker`, whose rewards add up to 0.

    Where the attack touches what the victim sees, the attacker has to move before the victim looks: one step of the
    world is then two joint steps, in the first of which the attacker's action counts and in the second the victim's;
    `info["acts"]` says whose. Elsewhere both move at once, on the same observation.

    Raises:
        RefusedError: the game is of another form, or the attack works behind a normalisation (say `space=raw`).
        RequestError: PettingZoo is missing.
    """
    _need("pettingzoo")
    from sparring.simulated._pettingzoo_env import BothEnv

    return BothEnv(_simulated(duel))


def _one_side(
    duel: AttackGame, side: Side, against: Policy | str | None, size: int = 1
) -> tuple[AttackerView | VictimView, Space, Space, str]:
    """The view of a side, the spaces of what it sees and does, and the game for messages."""
    from sparring.simulated.channels import shown_space

    game = _simulated(duel)
    if against is None and side is Side.ATTACKER:
        raise RequestError(f"{game.game.spec}: an attacker needs a victim; give a policy or its spec")
    other = None if against is None else game.check_policy(resolve_policy(against, game.game, None), side.other)
    seen, chosen = game.spaces(side)
    if side is Side.VICTIM and other is not None:
        seen = shown_space(seen, game.channels)
    return game.view(side, other, size), seen, chosen, game.game.spec


def _simulated(duel: AttackGame) -> SimulatedAttackGame:
    from sparring.simulated.attack_game import SimulatedAttackGame

    if not isinstance(duel, SimulatedAttackGame):
        raise RefusedError(f"{duel.game.spec}: environments are of simulated games, this one is {duel.game.form}")
    return duel


def _need(package: str) -> None:
    """Import a package.

    Raises:
        RequestError: it is missing.
    """
    try:
        importlib.import_module(package)
    except ImportError as error:
        raise RequestError(
            f"environments need the package {package} ({error}): pip install 'sparring[pettingzoo]'"
        ) from error
