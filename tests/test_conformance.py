"""The conformance kit: built-ins pass it, every check can fail, and failures say cause, place and remedy."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pytest

import broken_plugins
from broken_plugins import BROKEN, SOUND, Boasting, SoundMetric, SoundOracle, SoundThreat
from broken_simulated import BROKEN_SIMULATED, SOUND_SIMULATED
from sparring.access import ChargedAccess, Coin, DynamicsAccess, OpponentAccess
from sparring.budgets import GRAPH_RADIUS, MIXING_PROBABILITY
from sparring.cli import run
from sparring.errors import MissingError, RequestError
from sparring.forms import Form
from sparring.plugin import Plugin
from sparring.registry import default_registry
from sparring.testing import Check, CheckFailure, CheckSkipped, Verdict, checks, conformance
from sparring.testing.arena import GAMES
from sparring.testing.searching import search
from sparring.testing.selecting import OF_KIND
from sparring.testing.subject import Subject
from throwaway import ORACLE, install

HAS_TORCH = importlib.util.find_spec("torch") is not None


def needs(plugin: type[Plugin]) -> None:
    if plugin.kind == "bound-backend" and not HAS_TORCH:
        pytest.skip("bound backends need torch")


@pytest.mark.parametrize("entry", default_registry().entries, ids=lambda entry: f"{entry.kind}.{entry.name}")
def test_built_in_plugins_keep_their_promises(entry):
    outcomes = {check.name: check.outcome() for check in checks(entry.kind, entry.name)}
    missing = [out.message for out in outcomes.values() if out.verdict is Verdict.UNABLE]
    if missing:
        pytest.skip(missing[0])
    assert {name: out for name, out in outcomes.items() if out.verdict is Verdict.FAILED} == {}
    assert sum(out.verdict is Verdict.PASSED for out in outcomes.values()) >= 10


@pytest.mark.parametrize("plugin", [*SOUND, *SOUND_SIMULATED])
def test_sound_plugins_pass_every_check(plugin):
    needs(plugin)
    outcomes = {check.name: check.outcome() for check in checks(plugin.kind, plugin)}
    assert {name: out.verdict for name, out in outcomes.items()} == dict.fromkeys(outcomes, Verdict.PASSED)


EVERY_BROKEN = [*BROKEN, *BROKEN_SIMULATED]


@pytest.mark.parametrize(
    ("name", "plugin"), EVERY_BROKEN, ids=[f"{name}-{plugin.__name__}" for name, plugin in EVERY_BROKEN]
)
def test_a_broken_plugin_is_caught_by_its_check_and_by_none_before(name, plugin):
    needs(plugin)
    for check in checks(plugin.kind, plugin):
        outcome = check.outcome()
        if outcome.verdict is not Verdict.PASSED:
            break
    assert (check.name, outcome.verdict) == (name, Verdict.FAILED), outcome.message
    with pytest.raises(CheckFailure) as caught:
        check.run()
    failure = caught.value
    assert failure.cause
    assert failure.remedy
    assert plugin.__name__ in failure.place or "broken_" in failure.place
    assert "\n" not in str(failure)


def test_every_check_has_a_broken_plugin():
    registry = default_registry()
    every = {check.name for plugin in [*SOUND, *SOUND_SIMULATED] for check in checks(plugin.kind, plugin, registry)}
    sized = {check.name for check in checks("threat-model", broken_plugins.FreeChanges)}
    sized |= {check.name for check in checks("oracle", broken_plugins.BreaksAtTheEnd)}
    assert {name for name, _ in EVERY_BROKEN} == every | sized
    assert {plugin.kind for plugin in SOUND} == set(OF_KIND)


class Honest(Boasting):
    expected_failures: ClassVar[Mapping[str, str]] = {"witness-attains-claim": "it boasts"}


class Pessimist(SoundOracle):
    expected_failures: ClassVar[Mapping[str, str]] = {"witness-attains-claim": "it was so once"}


def by_name(plugin: type[Plugin], name: str) -> Check:
    (found,) = [check for check in checks(plugin.kind, plugin) if check.name == name]
    return found


def test_a_declared_failure_is_no_failure_unless_it_passes():
    declared = by_name(Honest, "witness-attains-claim")
    declared.run()
    assert (declared.outcome().verdict, declared.outcome().message) == (Verdict.EXPECTED, "it boasts")
    passes = by_name(Pessimist, "witness-attains-claim")
    with pytest.raises(CheckFailure, match=r"passes, though .*it was so once.*remove 'witness-attains-claim'"):
        passes.run()


def test_an_error_that_a_plugin_should_not_raise_is_a_failure_with_its_line():
    class Crashing(SoundMetric):
        def measure(self, duel, victim, attacks, rng):
            return {"ratio": 1 / 0}

    with pytest.raises(CheckFailure, match=r"ZeroDivisionError.*test_conformance\.py:\d+"):
        by_name(Crashing, "works-on-its-forms").run()


def test_forms_without_games_are_skipped_with_the_reason():
    class Elsewhere(SoundOracle):
        forms = frozenset({Form.DATASET})

    with pytest.raises(CheckSkipped, match=r"no games of its forms \(dataset\) yet"):
        by_name(Elsewhere, "works-on-its-forms").run()


def test_unknown_kinds_and_names_are_told_with_the_nearest():
    for kind, name, words in (
        ("oracel", "exact", "unknown kind 'oracel': did you mean 'oracle'"),
        ("oracle", "exacct", "did you mean 'exact'"),
        ("oracle", SoundMetric, "SoundMetric is no oracle"),
    ):
        with pytest.raises(RequestError, match=words):
            list(checks(kind, name))


# -- the search and the independent derivations ---------------------------------------------------------------------


@pytest.mark.parametrize("installed", [True, False])
def test_the_search_is_of_the_same_size_without_hypothesis(installed, monkeypatch):
    if not installed:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for _ in range(2):
        seen = []
        search(lambda part, rng, seen=seen: seen.append((part, float(rng.random()))), 30)
        assert len(seen) == 30
        assert {0.0} <= {part for part, _ in seen}
        assert all(0 <= part <= 1 for part, _ in seen)

    def fails_above_a_half(part, rng):
        assert part <= 0.5

    with pytest.raises(AssertionError):
        search(fails_above_a_half, 30)


def test_kuhn_poker_of_the_kit_has_the_known_values():
    (maker,) = GAMES[Form.EXTENSIVE]
    game = maker()
    whole = ChargedAccess(OpponentAccess(None), MIXING_PROBABILITY.budget(1), "kit")
    first, second = (game.attack_game([whole], seat) for seat in (0, 1))
    uniform = [game.uniform_policy(seat) for seat in (0, 1)]
    assert first.measure(*uniform) == pytest.approx(1 / 8)
    # NashConv of the uniform policies is 11/12 (OpenSpiel's known value).
    assert first.exploitability(uniform[0]).lower + second.exploitability(uniform[1]).lower == pytest.approx(11 / 12)
    assert first.optimum().exploitability == pytest.approx(1 / 18)


class EpisodeCoin(SoundThreat):
    def access(self, game, victim_player, benign):
        return OpponentAccess(benign, Coin.EPISODE)


class Shares(SoundThreat):
    forms = frozenset({Form.MARKOV, Form.EXTENSIVE})

    def access(self, game, victim_player, benign):
        points = len(game.decision_points(1 - (victim_player or 0)))
        return OpponentAccess(benign, share=np.linspace(0, 1, points) if benign is not None else None)


class Slippery(SoundThreat):
    """One alternative dynamics of size 1 and one of size 2, on games of one agent."""

    forms = frozenset({Form.MARKOV})
    budget = GRAPH_RADIUS
    benign = "refused"

    def access(self, game, victim_player, benign):
        own = game.transition.toarray().reshape(*game.shape, game.states)
        moved = np.stack([np.roll(own, 1, axis=-1), np.roll(own, 2, axis=-1)])
        return DynamicsAccess(transition=moved, size=np.tile([1.0, 2.0], (game.states, 1)))


@pytest.mark.parametrize("plugin", [EpisodeCoin, Shares, Slippery])
def test_the_derivation_knows_the_other_channels_too(plugin):
    # A coin that is tossed once an episode leaves nothing to say of single decisions.
    right = {Verdict.PASSED} | ({Verdict.SKIPPED} if plugin is EpisodeCoin else set())
    outcomes = {check.name: check.outcome() for check in checks(plugin.kind, plugin)}
    assert {name: out for name, out in outcomes.items() if out.verdict not in right} == {}


# -- what is not installed -------------------------------------------------------------------------------------------


class Wanting(SoundOracle):
    """Needs a package that nobody has."""

    def attack(self, duel, victim, *, effort, rng):
        raise MissingError("oracle wanting: needs the package unobtainium: pip install unobtainium")


def test_what_is_not_installed_is_no_failure_unless_that_is_asked_for():
    outcomes = {check.name: check.outcome() for check in checks("oracle", Wanting)}
    unable = {name for name, out in outcomes.items() if out.verdict is Verdict.UNABLE}
    assert {"works-on-its-forms", "witness-attains-claim", "same-seed-same-result"} <= unable
    assert all("pip install unobtainium" in outcomes[name].message for name in unable)
    assert {out.verdict for out in outcomes.values()} == {Verdict.PASSED, Verdict.UNABLE}
    check = by_name(Wanting, "works-on-its-forms")
    for strict, outcome in ((False, "Skipped"), (True, "Failed")):
        with pytest.raises(BaseException, match="unobtainium") as caught:
            conformance("oracle", Wanting, strict=strict)(check)
        assert type(caught.value).__name__ == outcome


def test_the_command_tells_what_is_not_installed_and_is_strict_where_asked(tmp_path, monkeypatch, capsys):
    text = ORACLE.format(name="wanting", word="acme").replace(
        "return Finding(duel.draw(Side.ATTACKER, rng))", "raise MissingError('needs unobtainium')"
    )
    (tmp_path / "wanting.py").write_text("from sparring.errors import MissingError\n" + text)
    words = ["--plugin", str(tmp_path / "wanting.py"), "plugins", "check", "wanting"]
    assert (run(words), run([*words, "--strict"])) == (0, 1)
    assert "not checked: oracle wanting: works-on-its-forms: needs unobtainium" in capsys.readouterr().out


# -- the doors ------------------------------------------------------------------------------------------------------

test_the_door_for_pytest = conformance("policy-loader", "uniform")


def test_the_door_for_pytest_fails_skips_and_expects():
    outcomes = []
    for plugin in (Boasting, Honest):
        function = conformance("oracle", plugin)
        check = by_name(plugin, "witness-attains-claim")
        with pytest.raises(BaseException) as caught:  # noqa: PT011  # pytest's outcomes are no Exceptions
            function(check)
        outcomes.append(type(caught.value).__name__)
    assert outcomes == ["Failed", "XFailed"]


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """An installed distribution with one sound oracle and one that boasts."""
    monkeypatch.syspath_prepend(tmp_path)
    broken = ORACLE.replace("rng))", "rng), claimed=7.0)")
    modules = {
        "acme_sound": ORACLE.format(name="acme", word="acme"),
        "acme_broken": broken.format(name="boaster", word="acme"),
    }
    points = {"oracle.acme": "acme_sound", "oracle.boaster": "acme_broken", "oracle.gone": "acme_nowhere"}
    install(tmp_path, "acme-attacks", points, modules)
    from sparring import registry

    registry._installed.cache_clear()
    yield
    registry._installed.cache_clear()


@pytest.mark.parametrize(("target", "code"), [("acme", 0), ("oracle.acme", 0), ("boaster", 1), ("acme_attacks", 1)])
def test_the_command_checks_plugins_by_name_and_packages_by_theirs(stranger, capsys, target, code):
    assert run(["plugins", "check", target]) == code
    lines = capsys.readouterr().out.splitlines()
    failed = [line for line in lines if line.startswith("FAILED")]
    assert bool(failed) == bool(code)
    assert all("; at " in line and "; remedy: " in line for line in failed)
    if target == "acme_attacks":
        assert lines[-1].startswith("3 plugins: ")
        assert any("oracle gone: loads: its import fails" in line or "gone: loads" in line for line in failed)


def test_the_command_tells_an_unknown_name(stranger, capsys):
    assert run(["plugins", "check", "acme-atacks"]) == 2
    assert "did you mean 'acme-attacks'?" in capsys.readouterr().err


def test_the_command_and_the_checks_work_without_pytest_and_hypothesis(tmp_path):
    code = (
        "import sys\n"
        "for name in ('pytest', 'hypothesis', '_pytest'): sys.modules[name] = None\n"
        "import importlib.util as u\n"
        "found = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'hypothesis' else found(name, *rest)\n"
        "from sparring.cli import main; main(['plugins', 'check', 'observation'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed: threat-model observation: budget-respected" in done.stdout


def test_a_place_is_found_without_source():
    made = type("Made", (SoundOracle,), {"__module__": "nowhere"})
    assert Subject(made, default_registry()).place == "nowhere (Made)"
