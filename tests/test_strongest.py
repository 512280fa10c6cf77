"""Several oracles, and a search over one: all figures are shown, and who refuses is noted."""

from __future__ import annotations

import json

import numpy as np
import pytest

from paying_world import PayingGame
from sparring import attack, evaluate
from sparring.errors import RefusedError, RequestError
from sparring.oracle import Finding
from sparring.registry import default_registry
from sparring.specs import several
from tiny_world import Constant, Tracker

torch = pytest.importorskip("torch")

WORST = Constant([1.0, -1.0])


def duel_of(budget=0.4):
    return attack(PayingGame(), "observation", budget)


def record_of(oracle, victim=None, seed=0, duel=None):
    report = evaluate(duel or duel_of(), victim or Tracker(gain=0.5), [oracle], episodes=6, seed=seed)
    (record,) = json.loads(report.to_text())["attacks"]
    return record


def test_lists_of_specs_stand_between_semicolons():
    assert several("mad; pgd(steps=20,restarts=5) ;;file:'a;b'") == ["mad", "pgd(steps=20,restarts=5)", "file:'a;b'"]
    assert several(" ") == []
    with pytest.raises(RequestError, match="not balanced"):
        several("mad;pgd(steps=1")


def test_the_strongest_is_kept_and_all_figures_are_shown():
    sarsa = "robust-sarsa(transitions=1024,epochs=12,batch=64,weights=3,spreads=3)"
    of = f"random;mad;pgd(steps=5,restarts=2);critic;{sarsa}"
    record = record_of(f"strongest(of={of},episodes=30)")
    tried = {each["oracle"]: each for each in record["tried"]}
    assert list(tried) == several(of)
    values = [each["value"] for each in tried.values() if each["value"] is not None]
    assert tried[several(of)[-1]]["value"] == min(values)  # the only one that looks at what is paid
    assert tried["critic"]["value"] is None
    assert "needs a victim with critic" in tried["critic"]["warnings"][0]
    assert record["steps"] == sum(each["steps"] for each in tried.values())
    assert all(each["episodes"] == 30 and each["ci95"][0] < each["value"] for each in tried.values() if each["ci95"])


def test_the_strongest_is_chosen_for_each_victim_on_episodes_that_are_not_scored():
    duel, seen = duel_of(), []
    measure = type(duel).measure

    class Watched(type(duel)):
        def measure(self, victim, attacker, rng, episodes=None):
            value = measure(self, victim, attacker, rng, episodes)
            seen.append((attacker, value.returns))
            return value

    watched = Watched(duel.game, duel.charged)
    record = record_of("strongest(of=random;random(noise=sign),episodes=6)", duel=watched)
    chosen, scored = [returns for attacker, returns in seen if attacker is not None][:2], record["returns"]
    assert tuple(scored) not in chosen
    assert record["tried"][0]["value"] == pytest.approx(np.mean(chosen[0]))


def test_warnings_are_passed_through():
    victim = Tracker(gain=0.5, noise=0.2)
    record = record_of("strongest(of=pgd)", victim)
    assert record["warnings"] == record["tried"][0]["warnings"]
    assert any("draws its actions" in text for text in record["warnings"])
    assert record_of("strongest(of=random)", victim)["warnings"] == []


def test_without_names_all_that_needs_no_training_is_run():
    record = record_of("strongest(episodes=4)")
    names = {each["oracle"].partition("(")[0] for each in record["tried"]}
    assert names == {"random", "fgsm", "pgd", "mad", "critic", "min-q"}
    report = evaluate(attack("kuhn_poker", "partial-control", 1.0, victim_player=0), "uniform", ["strongest"])
    assert report.attacks[0].value == pytest.approx(-report.exploitability.lower)
    assert {plugin.name for plugin in report.provenance.plugins} >= {"strongest", "exact", "random"}


def test_a_policy_may_be_among_them(tmp_path):
    pytest.importorskip("safetensors")
    from sparring_plugins.networks.portable import write_pair
    from test_simulated_attacks import network

    write_pair(network(np.random.default_rng(1), (2, 6, 2), "none", role="adversary"), tmp_path / "adversary.json")
    record = record_of(f"strongest(of=random;file:{tmp_path}/adversary.safetensors,episodes=4)")
    assert record["tried"][1]["oracle"] == f"file:{tmp_path}/adversary.safetensors"


@pytest.mark.parametrize(
    ("of", "error", "words"),
    [
        ("critic;min-q", RefusedError, "all 2 refuse: oracle critic"),
        ("mad;pgdd", RequestError, "did you mean 'pgd'"),
        ("mad;pgd(steps=0)", RequestError, "option steps"),
        ("mad;strongest", RequestError, "among its own"),
        (";", RequestError, "names no oracle"),
    ],
)
def test_what_cannot_be_run_is_refused(of, error, words):
    with pytest.raises(error, match=words):
        record_of(f"strongest(of='{of}',episodes=2)")


def test_an_oracle_that_raises_is_no_refusal():
    class Broken(type(default_registry().create("oracle", "random"))):
        name = "broken"

        def attack(self, duel, victim, *, effort, rng):
            raise ZeroDivisionError

    from sparring_plugins.oracles._choosing import Yardstick, found_by

    yardstick = Yardstick(duel_of(), Tracker(), 3, 0)
    with pytest.raises(ZeroDivisionError):
        yardstick.candidate("broken", lambda: found_by(Broken(), "broken", yardstick.duel, Tracker(), None, None))
    assert yardstick.candidate("worst", lambda: Finding(WORST)).tried.value < float(yardstick.value(None))


def test_the_command_line_shows_all_figures(capsys):
    from sparring.cli import run

    words = ["evaluate", "kuhn_poker", "--victim", "uniform", "--victim-player", "0", "--threat", "partial-control"]
    assert run([*words, "--budget", "1", "--oracle", "strongest(of=random;mad;exact)"]) == 0
    table = capsys.readouterr().out.partition("chose from")[2]
    first, second, third = [line for line in table.splitlines() if "strongest(" in line]
    assert "│ exact  │ -0.416667 │" in first
    assert "│ random │" in second
    assert "needs a simulated game" in third
    assert run([*words, "--budget", "1", "--oracle", "exact"]) == 0
    assert "chose from" not in capsys.readouterr().out
