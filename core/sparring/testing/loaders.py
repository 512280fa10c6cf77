"""Policy loaders: they load what they should, refuse the rest, and run nothing that lies in a file."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from sparring.access import ActionAccess, ChargedAccess, OpponentAccess
from sparring.attack_game import AttackGame, Side
from sparring.budgets import MIXING_PROBABILITY
from sparring.errors import MissingError, RefusedError, RequestError
from sparring.forms import Form
from sparring.game import Game
from sparring.policy import Policy
from sparring.policy_specs import load_with
from sparring.simulated.attack_game import SimulatedAttackGame
from sparring.source import PolicyLoader
from sparring.testing.arena import GAMES
from sparring.testing.bench import Bench, Done, Held, Inputs, Setting
from sparring.testing.check import CheckSkipped
from sparring.testing.drifting import DriftGame
from sparring.testing.hostile_files import hostile_files, spoilt_files
from sparring.testing.sampled_arena import WORLDS
from sparring.testing.sampled_charging import MIXING, mixing
from sparring.trust import trusting

__all__ = ["LoaderBench", "episodes_stay_apart", "refuses_spoilt_files", "runs_nothing_from_files"]

SEEDS = (50, 51, 52, 53, 54)
"""Of the episodes that loaded policies are played for."""
FILES = ("policy.json", "policy.npz", ".")
"""What the kit offers to loaders of files: a document, an array, and a folder with the document in it."""


@dataclass(frozen=True, eq=False)
class LoaderBench(Bench):
    """Lets one loader load."""

    @property
    def loader(self) -> PolicyLoader:
        """An instance."""
        loader = self.subject.make()
        assert isinstance(loader, PolicyLoader)
        return loader

    def settings(self) -> list[Setting]:
        """Its examples and samples, files with a policy if it takes any, or else nothing, for every game of the kit."""
        made = []
        takes = self.loader.takes is not None
        arguments = [*self.loader.examples, *(FILES if takes else ())] or [""]
        for form in self.subject.exact_forms:
            for maker, argument in product(GAMES[form], arguments):
                label = f"{maker().spec}, {argument!r}"
                made.append(Setting(label, form, partial(self._run, maker, argument)))
        for world in WORLDS if self.subject.simulated else ():
            made += [Setting(f"{world().spec}, {place}", Form.SIMULATED, partial(self._sampled, world, place))
                     for place in self._places(world)]  # fmt: skip
        return made

    def _places(self, world: Callable[[], DriftGame]) -> list[str]:
        """Names of what there is to load for a simulated game: an example, or a sample by its number."""
        with tempfile.TemporaryDirectory() as folder:
            count = len(self.loader.samples(Path(folder), world()))
        lone = [] if self.loader.takes is not None or self.loader.examples else [""]
        return [*(repr(example) for example in (*self.loader.examples, *lone)), *(f"sample {n}" for n in range(count))]

    def _sampled(self, world: Callable[[], DriftGame], place: str, seed: int) -> Done:
        """Load for a simulated game, with consent, and play a few episodes."""
        game, loader = world(), self.loader
        duel = _attackable(game, None)
        assert isinstance(duel, SimulatedAttackGame)
        inputs = Inputs(game=game)
        with tempfile.TemporaryDirectory() as folder:
            samples = list(loader.samples(Path(folder), game))
            argument = samples[int(place.split()[1])] if place.startswith("sample ") else place.strip("'")
            spec = f"{loader.name}:{argument}" if argument else loader.name
            with trusting([spec]):
                policy = load_with(type(loader), spec, game, None)
        returns = duel.play(policy, None, SEEDS).returns
        return Done(returns, inputs, (Held(policy, Side.VICTIM, duel),), policy)

    def _run(self, maker: Callable[[], Game], argument: str, seed: int) -> Done:
        game = maker()
        seat = game.check_seat(None)
        duel = _attackable(game, seat)
        inputs = Inputs(game=game)
        with tempfile.TemporaryDirectory() as folder:
            saved = argument in FILES and argument not in self.loader.examples
            _save(duel.draw(Side.VICTIM, np.random.default_rng(35)), game, Path(folder))
            try:
                policy = self.loader.load(str(Path(folder, argument)) if saved else argument, game, seat)
            except MissingError:
                raise
            except RequestError as error:  # no file of this loader's, or no game for it
                raise RefusedError(str(error)) from error
            except Exception as error:
                if not saved:
                    raise
                # How it refuses files that are not its own is the business of another check.
                raise RefusedError(f"{type(error).__name__}: {error}") from error
        held = (Held(policy, Side.VICTIM, duel),) if isinstance(policy, Policy) else ()
        return Done(policy.to_document() if held else policy, inputs, held, policy)


def episodes_stay_apart(bench: LoaderBench) -> None:
    """Loaded policies play an episode by its own seed alone: in any batch and order, with no memory of another one."""
    looked = False
    for setting, done in bench.performed:
        for held in done.policies if setting.form is Form.SIMULATED else ():
            assert isinstance(held.duel, SimulatedAttackGame)
            looked, fault = True, mixing(held.duel, held.policy, None, SEEDS, exact=False)
            if fault:
                raise bench.subject.failure(fault, MIXING, setting.label)
    if not looked:
        raise CheckSkipped("nothing of it acts in the kit's simulated games; write files for them in `samples`")


def _attackable(game: Game, seat: int | None) -> AttackGame:
    access = ActionAccess() if game.players == 1 else OpponentAccess(None)
    return game.attack_game([ChargedAccess(access, MIXING_PROBABILITY.budget(1.0), "kit")], seat)


def _save(policy: Policy, game: Game, folder: Path) -> None:
    """The policy as the files that `sparring solve` and numpy write."""
    document = {"schema": "sparring.policy/1", "game": game.spec, **policy.to_document()}
    (folder / "policy.json").write_text(json.dumps(document), encoding="utf-8")
    np.savez(folder / "policy.npz", probabilities=np.asarray(getattr(policy, "probabilities", ())))


def _game_for(bench: LoaderBench) -> Game | None:
    """A game of a form that it claims, if the kit has any."""
    forms = bench.subject.exact_forms
    return GAMES[forms[0]][0]() if forms else WORLDS[0]() if bench.subject.simulated else None


def refuses_spoilt_files(bench: LoaderBench) -> None:
    """What is missing, damaged or of another kind is a RequestError, with and without a game."""
    game = _game_for(bench)
    with tempfile.TemporaryDirectory() as folder:
        files = spoilt_files(Path(folder))
        for path, world in product(files, (game, None)):
            try:
                found = bench.loader.load(str(path), world, None if world is None else world.check_seat(None))
            except RequestError:
                continue
            except Exception as error:
                cause = f"{path.name} raises {type(error).__name__}: {error}"
            else:
                cause = f"{path.name} gives {found!r}"
            remedy = "catch what reading raises, and raise a RequestError that says what the file should be"
            raise bench.subject.failure(cause, remedy, "a game at hand" if world is not None else "no game at hand")


def runs_nothing_from_files(bench: LoaderBench) -> None:
    """Nothing that lies in a file is executed, however it is packed."""
    game = _game_for(bench)
    with tempfile.TemporaryDirectory() as folder:
        mark = Path(folder, "mark")
        for path, world in product(hostile_files(Path(folder), mark), (game, None)):
            # Whether and how it refuses the file is the business of another check.
            with contextlib.suppress(Exception):
                bench.loader.load(str(path), world, None if world is None else world.check_seat(None))
            if mark.exists():
                raise bench.subject.failure(
                    f"loading {path.name} runs code that lies in the file",
                    "read JSON, safetensors or numpy arrays with allow_pickle=False; torch with weights_only=True",
                )
