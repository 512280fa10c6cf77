"""Attack games of the simulated form: values are sampled, learners are trained."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sparring.access import ChargedAccess
from sparring.acting import Acting
from sparring.attack_game import AttackGame, Capabilities, Effort, LearnerState, Side, StepInfo
from sparring.errors import RequestError, SparringError
from sparring.exploitability import Estimate, Interval
from sparring.files import write_text
from sparring.forms import Form
from sparring.journal import Journal, digest, document_of, versions
from sparring.policy import Ability, Mixture, Policy
from sparring.simulated.attackers import AttackView, Proposing, RandomAttacker, proposal_space
from sparring.simulated.channels import ObservationChannel, channels_of
from sparring.simulated.contest import Table, contest, normalised
from sparring.simulated.episodes import Episodes, episodes_of
from sparring.simulated.estimating import estimate_of, mean_over
from sparring.simulated.faults import WorldError
from sparring.simulated.learner import Learner, learner_of, learners
from sparring.simulated.normalising import Normalising
from sparring.simulated.seats import parts_of
from sparring.simulated.spaces import Box, Space
from sparring.simulated.views import AttackerView, VictimView
from sparring.simulated.world import World

if TYPE_CHECKING:
    from sparring.bounds import BoundBackend
    from sparring.certificate import Certificate
    from sparring.simulated.game import SimulatedGame

__all__ = ["SimulatedAttackGame", "TrainedState"]

BATCH = 16
"""Episodes side by side, where nothing else is asked for."""
EPISODES = 20
"""Episodes behind a value, where nothing else is asked for."""
TRAINING = 8
"""Episodes side by side in the worlds that learners train in."""
SEEDS = 2**31
RESPONSE_STEPS = 200_000
"""Simulator steps of a trained response, where no effort is named."""


@dataclass(frozen=True, eq=False)
class TrainedState(LearnerState):
    """A learner's state; `parameters` are its own, `learner` is the spec that makes the learner again."""


class SimulatedAttackGame(AttackGame):
    """One agent in a world that can be stepped, and what the attacker may touch of it."""

    def __init__(
        self,
        game: SimulatedGame,
        charged: Sequence[ChargedAccess],
        *,
        batch: int = BATCH,
        workers: int = 0,
        journal: Journal | None = None,
    ) -> None:
        """Charge the budgets.

        Args:
            game: of one agent.
            charged: what may be touched; several are composed, each with its own budget.
            batch: how many episodes to play side by side; returns do not depend on it, but for the rounding of
                networks that multiply batches of different sizes differently.
            workers: how many processes share them; 0 for this process alone.
            journal: where finished episodes are kept, and looked up before any is played.

        Raises:
            RefusedError: the game cannot be touched in one of those ways.
        """
        if batch < 1:
            raise RequestError(f"batch {batch}: 1 or more episodes side by side")
        self.game: SimulatedGame = game
        self.charged, self.victim_player = tuple(charged), None
        self.channels = channels_of(game, self.charged)
        self.batch, self.workers = batch, workers
        self._journal = journal
        self._world: World | None = None
        self._training: World | None = None

    def in_batches(self, batch: int, workers: int = 0) -> SimulatedAttackGame:
        """The same attack game, played in batches of another size."""
        return SimulatedAttackGame(self.game, self.charged, batch=batch, workers=workers, journal=self._journal)

    def kept_in(self, journal: Journal) -> SimulatedAttackGame:
        """The same attack game, whose episodes are kept as they finish, and none is played twice."""
        return SimulatedAttackGame(self.game, self.charged, batch=self.batch, workers=self.workers, journal=journal)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the worlds, which are made again where they are needed, and the journal."""
        return {**self.__dict__, "_world": None, "_training": None, "_journal": None}

    # ---- what it can do ------------------------------------------------------------------------------------------

    @property
    def can(self) -> Capabilities:
        """Values by sampling; responses and steps where a learner is installed."""
        trained: frozenset[Side] = frozenset(Side) if learners() else frozenset()
        why = {"exact-value": "values are sampled", "optimum": "networks are trained, not solved"}
        for side in Side:
            why[f"respond:{side}"] = (
                "there is no exact one; name an oracle such as 'mad' or 'random', or train one (learner 'ppo')"
            )
            why[f"step:{side}"] = "no learner is installed; install one, such as 'ppo'"
        if normalised(self.channels):
            trained -= {Side.VICTIM}
            told = "a victim that is still learning has no frozen normalisation to attack behind; use space=raw"
            why["step:victim"] = why["respond:victim"] = told
        return Capabilities(
            exact_value=False,
            response=trained,
            exact_response=frozenset(),
            mixture_response=trained,
            step=trained,
            average="episode-mixture",
            scores_average=False,
            known_optimum=False,
            why=why,
        )

    def check_policy(self, policy: Policy, side: Side) -> Policy:
        """Return the policy, or mixture, when all of it acts in simulated games and fits the attack."""
        for part in parts_of(policy)[0]:
            where = f"{side} of {self.game.spec}"
            if not isinstance(part, Policy) or part.form is not Form.SIMULATED:
                kind = part.form if isinstance(part, Policy) else type(part).__name__
                raise RequestError(f"{where}: a {kind} policy, expected a simulated one")
            acts = isinstance(part, Acting) or (side is Side.ATTACKER and isinstance(part, Proposing))
            if not acts:
                raise RequestError(f"{where}: a policy of type {type(part).__name__} does not act step by step")
            if side is Side.VICTIM and normalised(self.channels) and not isinstance(part, Normalising):
                raise RequestError(
                    f"{where}: a {type(part).__name__} declares no normalisation, and the budget is measured after it; "
                    "say space=raw"
                )
        return policy

    # ---- values --------------------------------------------------------------------------------------------------

    def play(self, victim: Policy, attacker: Policy | None, seeds: Sequence[int]) -> Episodes:
        """Play one episode for each seed; None for no attack."""
        self.check_policy(victim, Side.VICTIM)
        if attacker is not None:
            self.check_policy(attacker, Side.ATTACKER)
        of = self._identity(victim, attacker)
        if self._journal is None or of is None:
            return self._contest(victim, attacker, seeds)
        known = self._journal.known(of, seeds)
        if all(seed in known for seed in seeds):
            return episodes_of(seeds, known)
        return self._contest(victim, attacker, seeds, known, functools.partial(self._journal.add, of))

    def over(self, victim: Policy, attacker: Policy | None, seeds: Sequence[int]) -> Estimate:
        """The mean return over these very seeds, which is exact: it speaks of nothing else."""
        return mean_over(self.play(victim, attacker, seeds))

    def measure(
        self, victim: Policy, attacker: Policy | None, rng: np.random.Generator, episodes: int | None = None
    ) -> Estimate:
        """The mean return over episodes whose seeds come from `rng`; the same `rng` gives the same seeds to all."""
        count = EPISODES if episodes is None else episodes
        if count < 2:
            raise RequestError(f"episodes {count}: give 2 or more, one alone has no confidence interval")
        seeds = [int(seed) for seed in rng.integers(SEEDS, size=count)]
        return estimate_of(self.play(victim, attacker, seeds))

    def views(self, victim: Policy, seeds: Sequence[int], steps: int) -> Iterator[AttackView]:
        """What an attacker is shown at each of the first steps of some episodes, under noise; for oracles to try on."""
        self.check_policy(victim, Side.VICTIM)
        world = self.game.world(len(seeds))
        table = Table(world, victim, RandomAttacker(), self.channels, self.game.action)
        table.begin(seeds)
        try:
            for _ in range(steps):
                view = table.view()
                yield view
                if table.step().finished.all():
                    return
        finally:
            world.close()

    def draw(self, side: Side, rng: np.random.Generator) -> Policy:
        """Noise for the attacker, the uniform policy for the victim."""
        if side is Side.ATTACKER:
            return RandomAttacker("sign" if rng.random() < 0.5 else "uniform")
        return self.game.uniform_policy(None)

    def exploitability(self, victim: Policy, effort: Effort | None = None, seed: int = 0) -> Interval:
        """By the oracles at hand: noise, and gradients where the victim has them; chosen and scored on other seeds."""
        from sparring.oracle import Oracle
        from sparring.registry import default_registry
        from sparring.scoring import Judge, interval_of

        judge = Judge(self, self.check_policy(victim, Side.VICTIM), None, seed)
        found = [judge.no_attack()]
        for name in self._oracles_for(victim):
            oracle = default_registry().create("oracle", name)
            assert isinstance(oracle, Oracle)
            found.append(judge.run(name, oracle, effort))
        return interval_of(self, victim, [attack for attack in found if attack is not None], [])

    def _oracles_for(self, victim: Policy) -> list[str]:
        """Oracles that need no training and can attack this victim, as far as they are installed."""
        from sparring.registry import default_registry

        seen = any(isinstance(channel, ObservationChannel) for channel in self.channels)
        gradients = seen and Ability.DIFFERENTIABLE in victim.abilities
        wanted = ["random", *(["mad"] if gradients else [])]
        return [name for name in wanted if name in default_registry().names("oracle")]

    def least_return(self) -> float | None:
        """The game's least return."""
        return self.game.least

    def certify(
        self, victim: Policy, backend: BoundBackend, *, episodes: int | None = None, seed: int = 0
    ) -> Certificate:
        """Prove what can be proved of a victim's return under observation attack (`sparring.certificates`)."""
        from sparring.simulated.certifying import certified

        return certified(self, self.check_policy(victim, Side.VICTIM), backend, episodes=episodes, seed=seed)

    # ---- learning ------------------------------------------------------------------------------------------------

    def view(self, side: Side, against: Policy | None, size: int = TRAINING) -> AttackerView | VictimView:
        """The world of one side, with a policy or mixture of the other in it; for any learner to train in.

        Args:
            side: who is to be trained.
            against: the other side; None for a victim that nobody attacks.
            size: episodes side by side.

        Raises:
            RefusedError: this side cannot be trained under this attack.
        """
        return self._view(side, against, self.game.world(size, self.workers))

    def spaces(self, side: Side) -> tuple[Space, Space]:
        """What a side sees and what it chooses from; of an attacker, in its view."""
        if side is Side.VICTIM:
            return self.game.observation, self.game.action
        shape = self.game.observation.shape
        behind = Box(np.full(shape, -np.inf), np.full(shape, np.inf), "float32")
        return behind if normalised(self.channels) else self.game.observation, proposal_space(self.channels)

    def start(self, side: Side, seed: int, learner: str = "direct") -> TrainedState:
        """Start a learner, by its spec."""
        self.require(f"step:{side}", side in self.can.step)
        return TrainedState(side, self._learner(learner).start(*self.spaces(side), seed), learner=learner)

    def freeze(self, state: LearnerState) -> Policy:
        """A snapshot of a learner."""
        return self._learner(state.learner).policy(state.parameters)

    def step(
        self, state: LearnerState, against: Policy, rate: float, rng: np.random.Generator
    ) -> tuple[TrainedState, StepInfo]:
        """One update of the learner."""
        return self._trained(state, against, 1, rate, rng)

    def respond(
        self,
        side: Side,
        against: Policy,
        *,
        warm: LearnerState | None = None,
        effort: Effort | None = None,
        rng: np.random.Generator,
    ) -> tuple[TrainedState, Estimate]:
        """Train for as many steps as `effort` pays for, and measure what that reaches."""
        self.require(f"respond:{side}", side in self.can.response)
        state = self.start(side, int(rng.integers(SEEDS))) if warm is None else warm
        steps = RESPONSE_STEPS if effort is None or effort.steps is None else effort.steps
        found, info = self._trained(state, against, steps, None, rng)
        own = self.freeze(found)
        pair = (own, against) if side is Side.VICTIM else (against, own)
        reached = self.measure(*pair, rng)
        return found, reached.after(reached.steps + info.steps)

    def mix(self, average: Policy | None, policy: Policy, weight: float, side: Side) -> Policy:
        """A mixture drawn once an episode; it grows by one policy each time."""
        if average is None:
            return policy
        (parts, shares), (added, weights) = parts_of(average), parts_of(policy)
        mixed = [(1 - weight) * share for share in shares] + [weight * share for share in weights]
        return Mixture((*parts, *added), tuple(mixed))

    def save_state(self, state: LearnerState, path: Path) -> None:
        """Write a learner; what it is stands in a file beside it, which comes last."""
        self._learner(state.learner).save(state.parameters, path)
        told = {"side": state.side.value, "updates": state.updates, "learner": state.learner}
        write_text(path.with_name(path.name + ".json"), json.dumps(told) + "\n")

    def load_state(self, path: Path) -> TrainedState:
        """Read a learner."""
        told = json.loads(path.with_name(path.name + ".json").read_text(encoding="utf-8"))
        own = self._learner(told["learner"]).load(path)
        return TrainedState(Side(told["side"]), own, updates=int(told["updates"]), learner=str(told["learner"]))

    def restore(self, document: Mapping[str, Any], side: Side) -> Policy:
        """A policy or a mixture, bit for bit."""
        if document["kind"] == "mixture":
            parts = tuple(self.restore(part, side) for part in document["policies"])
            return Mixture(parts, tuple(document["weights"]))
        if document["kind"] == "random-attacker":
            return RandomAttacker(document["noise"])
        if document["kind"] == "uniform":
            return self.game.uniform_policy(None)
        return self.check_policy(self._learner("direct").restore(document), side)

    # ---- inside --------------------------------------------------------------------------------------------------

    def _trained(
        self, state: LearnerState, against: Policy, steps: int, rate: float | None, rng: np.random.Generator
    ) -> tuple[TrainedState, StepInfo]:
        """Updates until that many simulator steps are spent, at least one."""
        self.check_policy(against, state.side.other)
        learner, own, spent = self._learner(state.learner), state.parameters, 0
        if self._training is None:
            self._training = self.game.world(TRAINING, self.workers)
        view = self._view(state.side, against, self._training)
        count = state.updates
        while True:
            own, info = learner.update(own, view, rate=rate, rng=rng)
            spent, count = spent + info.steps, count + 1
            if spent >= steps:
                break
        after = TrainedState(state.side, own, count, state.learner)
        return after, StepInfo(spent, info.gradient_norm, info.metrics)

    def _view(self, side: Side, against: Policy | None, world: World) -> AttackerView | VictimView:
        if side is Side.VICTIM:
            return VictimView(world, against, self.channels, self.game.action, self.game.spec)
        assert against is not None  # an attacker without a victim has nothing to attack
        return AttackerView(world, against, self.channels)

    def _learner(self, spec: str) -> Learner:
        return learner_of(spec, self.game.spec)

    def _identity(self, victim: Policy, attacker: Policy | None) -> str | None:
        """What the journal knows the episodes by; None where none is kept, or the attacker cannot be written down.

        Raises:
            RefusedError: episodes are kept, and the victim cannot be told from another.
        """
        if self._journal is None:
            return None
        charged = [[part.threat, dict(part.options), part.budget.value] for part in self.charged]
        told = document_of(victim)
        try:
            attack = None if attacker is None else document_of(attacker)
        except SparringError:
            return None
        return digest(self.game.spec, charged, self.batch, told, attack, versions())

    def _contest(self, victim: Policy, attacker: Policy | None, seeds: Sequence[int], *kept: Any) -> Episodes:
        try:
            return contest(self._own_world(), victim, attacker, self.channels, self.game.action, seeds, *kept)
        except WorldError:  # of a world that has lost a worker nothing more can be had
            self._world = None
            raise

    def _own_world(self) -> World:
        if self._world is None:
            self._world = self.game.world(self.batch, self.workers)
        return self._world
