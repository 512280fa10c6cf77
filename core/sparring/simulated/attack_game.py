"""Attack games of the simulated form: values are sampled, learners are trained."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from sparring.access import ChargedAccess
from sparring.acting import Acting
from sparring.attack_game import AttackGame, Capabilities, Effort, LearnerState, Side, StepInfo
from sparring.errors import RequestError, SparringError
from sparring.exploitability import Estimate, Interval
from sparring.forms import Form
from sparring.journal import Journal, digest, document_of, versions
from sparring.policy import Ability, Mixture, Policy
from sparring.simulated.attackers import AttackView, Proposing, RandomAttacker
from sparring.simulated.channels import ObservationChannel, channels_of
from sparring.simulated.contest import Table, contest, normalised
from sparring.simulated.documents import restored
from sparring.simulated.episodes import Episodes, episodes_of
from sparring.simulated.estimating import estimate_of, mean_over
from sparring.simulated.faults import WorldError
from sparring.simulated.learning import SIZE, Learning, TrainedState
from sparring.simulated.metered import MeteredWorld, StepCount
from sparring.simulated.normalising import Normalising
from sparring.simulated.seats import parts_of
from sparring.simulated.spaces import Space
from sparring.simulated.views import AttackerView, VictimView
from sparring.simulated.world import World

if TYPE_CHECKING:
    from sparring.bounds import BoundBackend
    from sparring.certificate import Certificate
    from sparring.simulated.game import SimulatedGame

__all__ = ["SimulatedAttackGame"]

BATCH = 16
"""Episodes side by side, where nothing else is asked for."""
EPISODES = 20
"""Episodes behind a value, where nothing else is asked for."""
SEEDS = 2**31
RESPONSE_STEPS = 200_000
"""Simulator steps of a trained response, where no effort is named."""
REACHED = 5
"""Episodes by which a trained response is measured; solvers ask for one in every iteration."""


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
        self._count = StepCount()
        self.learning = Learning(game, self.channels, workers, self._count)
        self._world: World | None = None

    def in_batches(self, batch: int, workers: int = 0) -> Self:
        """The same attack game, played in batches of another size."""
        if batch < 1:
            raise RequestError(f"batch {batch}: 1 or more episodes side by side")
        again = self.lent()
        again.batch, again.workers = batch, workers
        again.learning = type(self.learning)(self.game, self.channels, workers, again._count)
        return again

    def lent(self) -> Self:
        """The same attack game with worlds and a count of its own."""
        again = copy.copy(self)  # without its worlds, as a pickle has it
        again._journal, again._count = self._journal, StepCount()
        again.learning = type(self.learning)(self.game, self.channels, self.workers, again._count)
        return again

    @property
    def steps_made(self) -> int:
        """Steps of single episodes that its worlds have made, those of kept episodes included."""
        return self._count.steps

    def kept_in(self, journal: Journal) -> SimulatedAttackGame:
        """The same attack game, whose episodes are kept as they finish, and none is played twice."""
        return SimulatedAttackGame(self.game, self.charged, batch=self.batch, workers=self.workers, journal=journal)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the world, which is made again where it is needed, and the journal."""
        return {**self.__dict__, "_world": None, "_journal": None}

    # ---- what it can do ------------------------------------------------------------------------------------------

    @property
    def can(self) -> Capabilities:
        """Values by sampling; responses and steps where a learner is installed."""
        trained = self.learning.sides
        why = {"exact-value": "values are sampled", "optimum": "networks are trained, not solved"}
        return Capabilities(
            exact_value=False,
            response=trained,
            exact_response=frozenset(),
            mixture_response=trained,
            step=trained,
            average="episode-mixture",
            scores_average=False,
            known_optimum=False,
            why=why | self.learning.why(),
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
        self._count.steps += sum(played.length for played in known.values())  # as if nothing had stopped it
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
        world = MeteredWorld(self.game.world(len(seeds)), self._count)
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
        """By the oracles at hand, chosen and scored on other seeds: noise, and gradients where the victim has them.

        With an effort in steps a learned attacker, trained for that long, is among them.
        """
        from sparring.oracle import Oracle
        from sparring.registry import default_registry
        from sparring.scoring import Judge, interval_of

        judge = Judge(self, self.check_policy(victim, Side.VICTIM), None, seed)
        found = [judge.no_attack()]
        for name in self._oracles_for(victim, effort):
            oracle = default_registry().create("oracle", name)
            assert isinstance(oracle, Oracle)
            found.append(judge.run(name, oracle, effort))
        return interval_of(self, victim, [attack for attack in found if attack is not None], [])

    def _oracles_for(self, victim: Policy, effort: Effort | None) -> list[str]:
        """Oracles that can attack this victim with that effort, as far as they are installed."""
        from sparring.registry import default_registry

        seen = any(isinstance(channel, ObservationChannel) for channel in self.channels)
        gradients = seen and Ability.DIFFERENTIABLE in victim.abilities
        trained = effort is not None and effort.steps is not None
        wanted = ["random", *(["mad"] if gradients else []), *(["ppo"] if trained else [])]
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

    def view(self, side: Side, against: Policy | None, size: int = SIZE) -> AttackerView | VictimView:
        """The world of one side, with a policy or mixture of the other in it; for any learner to train in.

        Args:
            side: who is to be trained.
            against: the other side; None for a victim that nobody attacks.
            size: episodes side by side.

        Raises:
            RefusedError: this side cannot be trained under this attack.
        """
        return self.learning.view(side, against, size)

    def spaces(self, side: Side) -> tuple[Space, Space]:
        """What a side sees and what it chooses from; of an attacker, in its view."""
        return self.learning.spaces(side)

    def start(self, side: Side, seed: int, learner: str = "direct") -> TrainedState:
        """Start a learner, by its spec."""
        self.require(f"step:{side}", side in self.can.step)
        return self.learning.start(side, seed, learner)

    def freeze(self, state: LearnerState) -> Policy:
        """A snapshot of a learner."""
        return self.learning.freeze(state)

    def step(
        self, state: LearnerState, against: Policy, rate: float, rng: np.random.Generator
    ) -> tuple[TrainedState, StepInfo]:
        """One update of the learner, with `rate` times its own step size."""
        return self.learning.train(state, self.check_policy(against, state.side.other), 1, rate, rng)

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
        found, info = self.learning.train(state, self.check_policy(against, side.other), steps, None, rng)
        own = self.freeze(found)
        pair = (own, against) if side is Side.VICTIM else (against, own)
        reached = self.measure(*pair, rng, REACHED)
        return found, reached.after(reached.steps + info.steps)

    def mix(self, average: Policy | None, policy: Policy, weight: float, side: Side) -> Policy:
        """A mixture drawn once an episode; it grows by one policy each time."""
        if average is None:
            return policy
        (parts, shares), (added, weights) = parts_of(average), parts_of(policy)
        mixed = [(1 - weight) * share for share in shares] + [weight * share for share in weights]
        return Mixture((*parts, *added), tuple(mixed))

    def save_state(self, state: LearnerState, path: Path) -> None:
        """Write a learner."""
        self.learning.save(state, path)

    def load_state(self, path: Path) -> TrainedState:
        """Read a learner."""
        return self.learning.load(path)

    def restore(self, document: Mapping[str, Any], side: Side) -> Policy:
        """A policy or a mixture, bit for bit."""
        return self.check_policy(restored(document, self.game), side)

    # ---- inside --------------------------------------------------------------------------------------------------

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
            self._world = MeteredWorld(self.game.world(self.batch, self.workers), self._count)
        return self._world
