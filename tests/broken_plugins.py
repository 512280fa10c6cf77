"""A sound plugin of every kind, and for every check of the conformance kit one that is broken in just that respect."""

from __future__ import annotations

import json
import math
import pickle
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import ConfigDict, Field

from sparring.access import ObservationAccess, OpponentAccess
from sparring.attack_game import Side
from sparring.bounds import BoundBackend
from sparring.budgets import GRAPH_RADIUS, MIXING_PROBABILITY, BudgetKind, Charge
from sparring.errors import RefusedError, RequestError
from sparring.forms import Form
from sparring.matrix.attack_game import MatrixAttackGame
from sparring.matrix.game import MatrixGame
from sparring.matrix.policy import MatrixPolicy
from sparring.metric import Metric
from sparring.oracle import Finding, Oracle
from sparring.plugin import PluginOptions
from sparring.solver import Answer, Solver, TraceRow
from sparring.source import GameSource, PolicyLoader
from sparring.streams import stream
from sparring.threat import ThreatModel

EXACT = frozenset(form for form in Form if form.exact)
MATRIX, MARKOV = frozenset({Form.MATRIX}), frozenset({Form.MARKOV})
PAYOFF = np.asarray([[0.0, -1.0, 2.0], [1.5, 0.0, -1.0]])


class SoundThreat(ThreatModel):
    name = "sound-threat"
    summary = "control of the other seat"
    forms = EXACT
    budget = MIXING_PROBABILITY
    benign = "used"

    def access(self, game, victim_player, benign):
        return OpponentAccess(benign)


class SoundOracle(Oracle):
    name = "sound-oracle"
    summary = "a drawn attacker"
    forms = EXACT

    def attack(self, duel, victim, *, effort, rng):
        drawn = duel.draw(Side.ATTACKER, rng)
        return Finding(drawn, claimed=float(duel.measure(victim, drawn, rng)), steps=1)


class SoundSolver(Solver):
    name = "sound-solver"
    summary = "keeps the best of drawn victims"
    forms = EXACT

    def solve(self, duel, run):
        best, trace = duel.freeze(duel.start(Side.VICTIM, run.seed)), ()
        for iteration in range(1, run.iterations + 1):
            best = self.better(duel, best, duel.draw(Side.VICTIM, stream(run.seed, "try", iteration)))
            if iteration % run.stride == 0 or iteration == run.iterations:
                trace = (*trace, self.row(duel, run, iteration, best))
                run.report and run.report(trace[-1])
        return Answer(best, "last", trace)

    def better(self, duel, best, drawn):
        return min((best, drawn), key=lambda policy: duel.exploitability(policy).lower)

    def row(self, duel, run, iteration, best):
        last = duel.exploitability(best).lower
        gap = None if run.optimum is None else last - run.optimum.exploitability
        return TraceRow(iteration, iteration, 0.0, last, None, None, gap, None)


class SoundMetric(Metric):
    name = "sound-metric"
    summary = "what each attack leaves of the return"
    forms = EXACT

    def measure(self, duel, victim, attacks, rng):
        return {attack.oracle: attack.value for attack in attacks}


class SoundLoader(PolicyLoader):
    name = "sound-loader"
    summary = "a policy document"
    forms = EXACT
    takes = "PATH"

    def load(self, argument, game, player):
        if game is None:
            raise RequestError(f"policy {argument}: needs a game")
        try:
            data = json.loads(Path(argument).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RequestError(f"{argument}: {error}") from error
        return game.make_policy(data, player)


class SmallOptions(PluginOptions):
    scale: int = Field(1, ge=1, le=4, description="of all payoffs")


class SoundSource(GameSource):
    name = "sound-source"
    summary = "a matrix game"
    forms = MATRIX
    examples = ("small(scale=2)",)
    made: ClassVar[type[MatrixGame]] = MatrixGame

    def catalogue(self):
        return ("small",)

    def game_options(self, name):
        return SmallOptions

    def load(self, name, options):
        if name != "small":
            raise RequestError(f"unknown game {name!r}; there is small(scale=NUMBER)")
        scale = options.get("scale", 1)
        return self.made(f"{self.name}:small(scale={scale})", np.stack([PAYOFF * scale, -PAYOFF * scale]))


class SoundBackend(BoundBackend):
    """Interval arithmetic through linear layers and ReLU."""

    name = "sound-backend"
    summary = "interval bounds of linear layers with relu"

    def bound(self, module, region, spec):
        import torch

        low, high = self.box(region)
        for layer in module:
            linear = isinstance(layer, torch.nn.Linear)
            low, high = through(low, high, layer.weight, layer.bias) if linear else (low.relu(), high.relu())
        if spec is not None:
            low, high = through(low, high, spec.expand(len(low), *spec.shape[-2:]), 0.0)
        return low.detach(), high.detach()

    def box(self, region):
        return region.corners


def through(low, high, weight, bias):
    middle, half = (high + low) / 2, (high - low) / 2
    center = (weight @ middle[..., None])[..., 0] + bias
    spread = (weight.abs() @ half[..., None])[..., 0]
    return center - spread, center + spread


SOUND = [SoundThreat, SoundOracle, SoundSolver, SoundMetric, SoundLoader, SoundSource, SoundBackend]


# -- what holds for every kind -------------------------------------------------------------------------------------


class Unfinished(ThreatModel):
    name = "unfinished"
    summary = "declares no access"
    budget = MIXING_PROBABILITY


class Chatty(SoundThreat):
    summary = "two\nlines"


class Impostor(SoundOracle):
    name = "exact"


class IllegalDefault(SoundOracle):
    class Options(PluginOptions):
        rate: float = Field(-1.0, gt=0, description="a step size")


class Lenient(SoundOracle):
    class Options(PluginOptions):
        model_config = ConfigDict(extra="ignore", frozen=True)
        rate: float = Field(1.0, gt=0, description="a step size")


class Unbounded(SoundOracle):
    """Declares a range and then clips instead of refusing."""

    class Options(PluginOptions):
        rate: float = Field(1.0, gt=0, description="a step size")

    def __init__(self, **options):
        super().__init__(**{name: max(value, 0.1) if name == "rate" else value for name, value in options.items()})


class Unpicklable(SoundMetric):
    def __init__(self, **options):
        super().__init__(**options)
        self.rule = lambda: 0


class UnknownExpectation(SoundMetric):
    expected_failures: ClassVar[Mapping[str, str]] = {"figures-are-jsn": "a misspelt check"}


class Overclaiming(SoundThreat):
    forms = MATRIX

    def access(self, game, victim_player, benign):
        return ObservationAccess(size=np.zeros((1, 1)))


class Meddling(SoundMetric):
    def measure(self, duel, victim, attacks, rng):
        object.__setattr__(victim, "probabilities", np.ones_like(victim.probabilities))
        return {}


class MeddlingThreat(SoundThreat):
    """Puts something else into the benign policy that it is handed."""

    def access(self, game, victim_player, benign):
        object.__setattr__(benign, "probabilities", benign.probabilities[::-1].copy())
        return OpponentAccess(benign)


class Unseeded(SoundOracle):
    def attack(self, duel, victim, *, effort, rng):
        return super().attack(duel, victim, effort=effort, rng=np.random.default_rng())


def gambling(sound: type, method: str) -> type:
    """A plugin that draws from Python's global generator each time it works."""

    def work(self, *arguments, **named):
        random.random()
        return getattr(sound, method)(self, *arguments, **named)

    broken = type(f"Gambling{sound.__name__}", (sound,), {method: work, "__module__": __name__})
    globals()[broken.__name__] = broken  # where pickle looks for it
    return broken


METHODS = ("access", "attack", "solve", "measure", "load", "load", "bound")
GAMBLING = [gambling(sound, method) for sound, method in zip(SOUND, METHODS, strict=True)]


class SeedsNumpy(SoundOracle):
    def attack(self, duel, victim, *, effort, rng):
        np.random.seed(0)
        return super().attack(duel, victim, effort=effort, rng=rng)


# -- policies ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Excessive(MatrixPolicy):
    def __post_init__(self):
        object.__setattr__(self, "probabilities", 2 * np.asarray(self.probabilities))


@dataclass(frozen=True, eq=False)
class Rounded(MatrixPolicy):
    def to_document(self):
        return super().to_document() | {"probabilities": [round(p, 2) for p in self.probabilities.tolist()]}


@dataclass(frozen=True, eq=False)
class Homebound(MatrixPolicy):
    def __reduce__(self):
        raise TypeError("it stays here")


class Drawing(SoundOracle):
    forms = MATRIX
    policy: ClassVar[type[MatrixPolicy]] = MatrixPolicy

    def attack(self, duel, victim, *, effort, rng):
        return Finding(self.policy(duel.draw(Side.ATTACKER, rng).probabilities))


class DrawsExcessive(Drawing):
    policy = Excessive


class DrawsRounded(Drawing):
    policy = Rounded


class DrawsHomebound(Drawing):
    policy = Homebound


# -- threat models -------------------------------------------------------------------------------------------------


class GenerousKind(BudgetKind):
    def budget(self, value):
        return super().budget(math.sqrt(value))


class OwnBudget(SoundThreat):
    budget = GenerousKind("generous", "probability", Charge.MIX, high=1.0)


class NamesItsBudget(SoundThreat):
    def budget_kind(self, form):
        return "mixing-probability"


class FreeChanges(ThreatModel):
    name = "free-changes"
    summary = "every observation costs nothing"
    forms = MARKOV
    budget = GRAPH_RADIUS

    def access(self, game, victim_player, benign):
        return ObservationAccess(size=np.zeros((game.states, game.states)))


class TwoFaced(OpponentAccess):
    """Shows the given benign policy when the core looks at it first, and another one when it is charged."""

    def __getattribute__(self, name):
        if name != "benign":
            return super().__getattribute__(name)
        given = super().__getattribute__("benign")
        looks = self.__dict__.get("looks", 0)
        object.__setattr__(self, "looks", looks + 1)
        if given is None or looks == 0:
            return given
        return replace(given, probabilities=np.roll(given.probabilities, 1, axis=-1))


class Overspending(SoundThreat):
    forms = MARKOV

    def access(self, game, victim_player, benign):
        return TwoFaced(benign)


class Fickle(SoundThreat):
    """Has the whole budget at every second call, and none of it in between."""

    forms = MARKOV

    def access(self, game, victim_player, benign):
        self.calls = getattr(self, "calls", 0) + 1
        return OpponentAccess(benign, share=np.full(game.states, float(self.calls % 2)) if benign else None)


# -- games ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class ForgetsTheSign(MatrixGame):
    def for_seat(self, victim_player):
        return self.payoff[0].T if victim_player == 1 else self.payoff[0]


class WrongWay(MatrixAttackGame):
    def respond(self, side, against, **named):
        state, _ = super().respond(side, against, **named)
        worst = np.roll(state.parameters, 1)
        value = float(self.gradient(side, against) @ worst)
        return replace(state, parameters=worst), type(_)(value)


class ShiftsNominal(MatrixAttackGame):
    def measure(self, victim, attacker=None, rng=None, episodes=None):
        found = super().measure(victim, attacker, rng, episodes)
        return found if attacker is not None else type(found)(found + 0.5)


class Rooted(MatrixAttackGame):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.rule = lambda: 0


class Doubled(MatrixAttackGame):
    """Charges the root of the budget, which is more at every budget but 0 and 1."""

    def __init__(self, game, charged, victim_player):
        more = [replace(part, budget=part.budget.kind.budget(math.sqrt(part.budget.value))) for part in charged]
        super().__init__(game, more, victim_player)


def attacked_by(duel: type[MatrixAttackGame], name: str) -> type[GameSource]:
    """A source whose matrix game has an attack game of its own."""

    def attack_game(self, charged, victim_player):
        return duel(self, charged, victim_player)

    game = type(f"{name}Game", (MatrixGame,), {"attack_game": attack_game, "__module__": __name__})
    source = type(name, (SoundSource,), {"made": game, "__module__": __name__})
    globals()[game.__name__], globals()[name] = game, source
    return source


class LosesTheSign(SoundSource):
    made = ForgetsTheSign


class OtherForm(SoundSource):
    forms = MARKOV


class KnowsEverything(SoundSource):
    def load(self, name, options):
        return super().load("small", {"scale": options.get("scale", 1)})


class Untold(PluginOptions):
    scale: int = 1


class OtherDefault(PluginOptions):
    scale: int = Field(3, ge=1, le=4, description="of all payoffs")


class LeavesOptionsUntold(SoundSource):
    def game_options(self, name):
        return Untold


class DeclaresAnotherDefault(SoundSource):
    def game_options(self, name):
        return OtherDefault


class RefusesTheEndOfItsRange(SoundSource):
    def load(self, name, options):
        if options.get("scale", 1) > 3:
            raise RequestError("scale: at most 3")
        return super().load(name, options)


class ForgetsItsOptions(SoundSource):
    def load(self, name, options):
        return replace(super().load(name, options), spec=f"{self.name}:small")


@dataclass(frozen=True, eq=False)
class SaysZeroSum(MatrixGame):
    def __post_init__(self):
        object.__setattr__(self, "payoff", np.stack([self.payoff[0], self.payoff[0]]))
        super().__post_init__()
        object.__setattr__(self, "zero_sum", True)


class WronglyZeroSum(SoundSource):
    made = SaysZeroSum


@dataclass(frozen=True, eq=False)
class OneSeat(MatrixGame):
    def attack_game(self, charged, victim_player):
        return MatrixAttackGame(self, charged, 0)


class SeatsEverybodyFirst(SoundSource):
    made = OneSeat


# -- oracles, solvers, metrics -------------------------------------------------------------------------------------


class BreaksAtTheEnd(SoundOracle):
    """Divides by what may be 0."""

    class Options(PluginOptions):
        rate: float = Field(1.0, ge=0, le=10, description="a step size")

    def attack(self, duel, victim, *, effort, rng):
        return replace(super().attack(duel, victim, effort=effort, rng=rng), steps=int(1 / self.options.rate))


class ClaimsNothingReal(SoundOracle):
    def attack(self, duel, victim, *, effort, rng):
        return replace(super().attack(duel, victim, effort=effort, rng=rng), claimed=math.nan)


class Boasting(SoundOracle):
    def attack(self, duel, victim, *, effort, rng):
        found = super().attack(duel, victim, effort=effort, rng=rng)
        return replace(found, claimed=found.claimed - 0.01)


class StepsUnasked(SoundSolver):
    def better(self, duel, best, drawn):
        state = duel.start(Side.VICTIM, 0)
        duel.step(state, duel.draw(Side.ATTACKER, np.random.default_rng(0)), 0.1, np.random.default_rng(0))
        return super().better(duel, best, drawn)


class Silent(SoundSolver):
    def solve(self, duel, run):
        return super().solve(duel, replace(run, report=None))


class Flattering(SoundSolver):
    def row(self, duel, run, iteration, best):
        return replace(super().row(duel, run, iteration, best), averaged=-1e3)


class FlatteringItself(SoundSolver):
    """Writes the end of its trace a little better than it is."""

    def row(self, duel, run, iteration, best):
        row = super().row(duel, run, iteration, best)
        return replace(row, last=row.last - 1e-4, gap=None)


class Worsening(SoundSolver):
    def better(self, duel, best, drawn):
        return max((best, drawn), key=lambda policy: duel.exploitability(policy).lower)


class Forgetful(SoundSolver):
    """Goes on with other random numbers than it would have had."""

    def solve(self, duel, run):
        mark = None if run.folder is None else run.folder / "seen"
        resumed = mark is not None and mark.exists()
        if mark is not None:
            mark.touch()
        return super().solve(duel, replace(run, seed=run.seed + resumed))


class NotFinite(SoundMetric):
    def measure(self, duel, victim, attacks, rng):
        return {"ratio": math.inf}


# -- policy loaders and bound backends -----------------------------------------------------------------------------


class Trusting(SoundLoader):
    def load(self, argument, game, player):
        if Path(argument).suffix in (".pkl", ".pt"):
            with Path(argument).open("rb") as stream:
                return pickle.load(stream)
        return super().load(argument, game, player)


class Careless(SoundLoader):
    def load(self, argument, game, player):
        if game is None:
            raise RequestError("needs a game")
        return game.make_policy(json.loads(Path(argument).read_text(encoding="utf-8")), player)


class UpsideDown(SoundBackend):
    def bound(self, module, region, spec):
        low, high = super().bound(module, region, spec)
        return high, low


class Optimistic(SoundBackend):
    """Narrower than what interval arithmetic gives, and than what is so."""

    def bound(self, module, region, spec):
        low, high = super().bound(module, region, spec)
        middle = module(region.center).detach() if spec is None else (low + high) / 2
        return middle - 0.1 * (middle - low), middle + 0.1 * (high - middle)


class IgnoresTheNorm(SoundBackend):
    """Refuses nothing, and takes every ball for half as large."""

    def bound(self, module, region, spec):
        return super().bound(module, replace(region, radius=region.radius / 2), spec)


class DeclinesEverything(SoundBackend):
    def bound(self, module, region, spec):
        raise RefusedError("linear has no rule")


class TrustsTheCentre(SoundBackend):
    """Cuts a ball with its domain as if the centre lay inside, and leaves out the rest of other regions."""

    def box(self, region):
        import torch

        low, high = region.corners
        radius = region.radius if isinstance(region.radius, float) else 0.0
        return torch.maximum(low, region.center - radius), torch.minimum(high, region.center + radius)


BROKEN: list[tuple[str, type]] = [
    ("loads", Unfinished),
    ("declaration-complete", Chatty),
    ("announced-by-its-name", Impostor),
    ("defaults-are-legal", IllegalDefault),
    ("refuses-nonsense", Lenient),
    ("refuses-nonsense", Unbounded),
    ("plugin-pickles", Unpicklable),
    ("expected-failures-are-known", UnknownExpectation),
    ("works-on-its-forms", Overclaiming),
    ("works-on-its-forms", DeclinesEverything),
    ("leaves-inputs-alone", Meddling),
    ("leaves-inputs-alone", MeddlingThreat),
    *[("leaves-global-randomness-alone", gambler) for gambler in GAMBLING],
    ("leaves-global-randomness-alone", SeedsNumpy),
    ("same-seed-same-result", Unseeded),
    ("policies-are-distributions", DrawsExcessive),
    ("policies-survive-saving", DrawsRounded),
    ("policies-pickle", DrawsHomebound),
    ("threat-declaration", OwnBudget),
    ("threat-declaration", NamesItsBudget),
    ("changes-have-a-size", FreeChanges),
    ("deviates-within-the-budget", Overspending),
    ("budget-respected", attacked_by(Doubled, "DoublesBudgets")),
    ("nominal-unchanged", attacked_by(ShiftsNominal, "ShiftsNominals")),
    ("more-budget-never-helps", Fickle),
    ("stays-zero-sum", LosesTheSign),
    ("responses-are-best", attacked_by(WrongWay, "RespondsWrongly")),
    ("attack-games-pickle", attacked_by(Rooted, "RootsGames")),
    ("games-are-whole", OtherForm),
    ("refuses-what-it-does-not-know", KnowsEverything),
    ("options-are-as-declared", LeavesOptionsUntold),
    ("options-are-as-declared", DeclaresAnotherDefault),
    ("options-are-as-declared", RefusesTheEndOfItsRange),
    ("games-load-again", ForgetsItsOptions),
    ("zero-sum-as-declared", WronglyZeroSum),
    ("attackable-or-says-why", SeatsEverybodyFirst),
    ("options-are-usable", BreaksAtTheEnd),
    ("finding-complete", ClaimsNothingReal),
    ("witness-attains-claim", Boasting),
    ("uses-what-it-needs", StepsUnasked),
    ("answer-complete", Silent),
    ("trace-is-true", Flattering),
    ("trace-is-true", FlatteringItself),
    ("improves-on-its-start", Worsening),
    ("resumes-exactly", Forgetful),
    ("figures-are-json", NotFinite),
    ("runs-nothing-from-files", Trusting),
    ("refuses-spoilt-files", Careless),
    ("bounds-are-ordered", UpsideDown),
    ("bounds-are-ordered", TrustsTheCentre),
    ("bound-contains-what-is-found", Optimistic),
    ("bound-contains-what-is-found", IgnoresTheNorm),
]
"""The check that catches it, and before which nothing does."""
