"""`sparring.evaluate`: the document key by key, claims that are checked, and who competes."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import replace

import numpy as np
import pytest

import sparring
from sparring.attack_game import Side
from sparring.errors import RefusedError, RequestError
from sparring.exploitability import Estimate
from sparring.markov.policy import MarkovPolicy
from sparring.matrix.attack_game import MatrixAttackGame
from sparring.matrix.policy import MatrixPolicy
from sparring.metric import Metric
from sparring.oracle import Finding, Oracle
from sparring.policy import Ability, Mixture

RPS = "matrix:rock-paper-scissors"
ROCK = [1.0, 0.0, 0.0]
ZERO_SUM = "markov:random-zero-sum(seed=1)"

DUELS = {
    "matrix": lambda: sparring.attack(RPS, "partial-control", 0.3, victim_player=1, benign="uniform"),
    "matrix without benign": lambda: sparring.attack(RPS, "partial-control", 1.0),
    "markov": lambda: sparring.attack(ZERO_SUM, "partial-control", 0.3, benign="uniform"),
    "observation": lambda: sparring.attack("markov:sa-toy", "observation", 1),
    "grid": lambda: sparring.attack("markov:grid-traps", "action", 0.1),
    "composed": lambda: sparring.attack("markov:grid-traps", ["observation", "action"], [1, 0.1]),
}


class Given(Oracle):
    """Proposes what it is told to and says of it what it is told to."""

    name = "given"
    summary = "for tests"

    def __init__(self, attacker, **says):
        super().__init__()
        self.attacker, self.says = attacker, says

    def attack(self, duel, victim, *, effort, rng):
        return Finding(self.attacker, **self.says)


KEPT = ("returns", "seeds", "lengths", "truncated", "statistics")
SOUGHT = ("tried", "search", "made")


def keys(record):
    return list(record)


@pytest.mark.parametrize("name", DUELS)
def test_the_document_has_the_fields_of_the_schema(name):
    duel = DUELS[name]()
    document = json.loads(sparring.evaluate(duel, "uniform", oracles=["exact", "random"]).to_text())
    assert keys(document) == [
        "schema", "game", "threat", "budget", "victim", "benign", "nominal", "attacks", "exploitability",
        "exploitability_over_seeds", "optimum", "gap", "certificates", "metrics", "provenance",
    ]  # fmt: skip
    assert document["schema"] == "sparring.evaluation/1"
    assert keys(document["game"]) == ["spec", "form", "players"]
    assert document["game"]["spec"] == duel.game.spec
    assert document["game"]["form"] in ("matrix", "markov")
    assert keys(document["threat"]) == ["name", "options", "parts"]
    assert keys(document["victim"]) == ["spec", "player"]
    assert document["victim"] == {"spec": "uniform", "player": duel.victim_player}
    assert keys(document["nominal"]) == ["value", "ci95", "episodes", *KEPT]
    assert [attack["oracle"] for attack in document["attacks"]] == ["exact", "random"]
    for attack in document["attacks"]:
        assert keys(attack) == ["oracle", "value", "ci95", "episodes", "steps", "seconds", "warnings", *KEPT, *SOUGHT]
        assert all(attack[name] is None for name in (*KEPT, *SOUGHT))
        assert (attack["ci95"], attack["episodes"], attack["warnings"]) == (None, None, [])
        assert attack["steps"] >= 1
        assert attack["seconds"] >= 0
    found = document["exploitability"]
    assert keys(found) == ["lower", "upper", "exact", "over", "confidence", "method", "trivial_upper"]
    assert found["lower"] == found["upper"]
    assert (found["exact"], found["over"], found["confidence"]) == (True, "distribution", None)
    assert found["trivial_upper"] is False
    assert (document["certificates"], document["metrics"]) == ([], {})
    provenance = document["provenance"]
    assert keys(provenance) == [
        "sparring", "python", "platform", "packages", "plugins", "seed", "command", "started", "seconds",
    ]  # fmt: skip
    assert (provenance["seed"], provenance["command"]) == (0, None)
    assert {"numpy", "scipy"} <= set(provenance["packages"])
    for plugin in provenance["plugins"]:
        assert keys(plugin) == ["name", "kind", "distribution", "version", "sha256"]
        assert plugin["distribution"] == "sparring"
    used = {(plugin["kind"], plugin["name"]) for plugin in provenance["plugins"]}
    assert used >= {("oracle", "exact"), ("oracle", "random"), ("policy-loader", "uniform")}
    assert ("game", duel.game.form) in used
    assert {("threat-model", part.threat) for part in duel.charged} <= used


def test_what_is_null_where():
    documents = {name: sparring.evaluate(make(), "uniform").to_document() for name, make in DUELS.items()}
    assert documents["matrix"]["benign"] == {"spec": "uniform", "player": 0}
    assert documents["matrix"]["budget"] == {"kind": "mixing-probability", "value": 0.3, "unit": "probability"}
    assert documents["matrix"]["threat"] == {"name": "partial-control", "options": {"coin": "decision"}, "parts": None}
    assert documents["matrix without benign"]["benign"] is None
    assert documents["matrix without benign"]["nominal"]["value"] is None
    assert documents["observation"]["optimum"] is None
    assert documents["observation"]["gap"] is None
    assert documents["observation"]["victim"]["player"] is None
    assert documents["observation"]["budget"]["kind"] == "graph-radius"
    for name in ("matrix", "matrix without benign", "markov", "grid"):
        assert keys(documents[name]["optimum"]) == ["exploitability", "method"]
        assert documents[name]["gap"] == pytest.approx(
            documents[name]["exploitability"]["lower"] - documents[name]["optimum"]["exploitability"], abs=1e-15
        )
        assert documents[name]["gap"] >= -1e-9
    assert sparring.evaluate(DUELS["matrix"](), "uniform", optimum=False).optimum is None


def test_a_composed_threat_has_parts_and_no_budget_of_its_own():
    document = sparring.evaluate(DUELS["composed"](), "uniform").to_document()
    assert document["budget"] is None
    assert document["threat"]["name"] == "composed"
    assert document["threat"]["options"] == {}
    parts = document["threat"]["parts"]
    assert [keys(part) for part in parts] == [["name", "options", "budget"]] * 2
    assert [(part["name"], part["budget"]["kind"], part["budget"]["value"]) for part in parts] == [
        ("observation", "graph-radius", 1.0),
        ("action", "mixing-probability", 0.1),
    ]


def timeless(report):
    document = copy.deepcopy(report.to_document())
    for place in ("started", "seconds"):
        del document["provenance"][place]
    for attack in document["attacks"]:
        del attack["seconds"]
    return document


@pytest.mark.parametrize("name", DUELS)
def test_the_same_seed_gives_the_same_document(name):
    oracles = ["random(draws=2)", "exact"]
    first, second, other = (sparring.evaluate(DUELS[name](), "uniform", oracles, seed=seed) for seed in (7, 7, 8))
    assert timeless(first) == timeless(second)
    assert first.attacks[0].value != other.attacks[0].value or name in ("matrix", "matrix without benign")
    # Each oracle has a stream of its own: naming another one beside it changes nothing for it.
    alone = sparring.evaluate(DUELS[name](), "uniform", oracles[:1], seed=7)
    assert alone.attacks[0].value == first.attacks[0].value


def test_another_seed_draws_another_attacker():
    duel = DUELS["matrix"]()
    values = {sparring.evaluate(duel, ROCK, ["random"], seed=seed).attacks[0].value for seed in range(5)}
    assert len(values) == 5


def test_known_values_of_rock_paper_scissors():
    for eps in (0.0, 0.3, 1.0):
        report = sparring.evaluate(sparring.attack(RPS, "partial-control", eps, benign="uniform"), ROCK)
        assert report.nominal.value == pytest.approx(0.0, abs=1e-15)
        assert report.attacks[0].value == pytest.approx(-eps, abs=1e-15)
        assert report.exploitability.lower == pytest.approx(eps, abs=1e-15)
        assert report.optimum.exploitability == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("says", [0.5, -0.5, math.nan, math.inf])
@pytest.mark.parametrize("name", ["matrix without benign", "markov"])
def test_an_oracle_that_lies_about_its_attacker_is_caught(name, says):
    duel = DUELS[name]()
    victim = duel.game.uniform_policy(duel.victim_player)
    attacker = duel.best_response(victim)
    truth = float(duel.value(victim, attacker))
    honest = sparring.evaluate(duel, victim, [Given(attacker, claimed=truth + 1e-12)])
    assert honest.attacks[0].value == truth
    with pytest.raises(ArithmeticError, match="oracle given claims a return of"):
        sparring.evaluate(duel, victim, [Given(attacker, claimed=truth + says)])


def test_the_core_computes_exact_exploitability_itself_whatever_the_oracles_find():
    duel = DUELS["matrix without benign"]()
    weak = Given(MatrixPolicy(np.array(ROCK)), claimed=0.0)
    found = sparring.evaluate(duel, ROCK, [weak]).exploitability
    assert (found.lower, found.upper, found.exact) == (1.0, 1.0, True)


def test_an_attacker_stronger_than_the_best_response_is_a_bug_that_raises(monkeypatch):
    duel = DUELS["matrix without benign"]()
    honest = duel.measure
    monkeypatch.setattr(duel, "measure", lambda *given: Estimate(honest(*given) - 0.5))
    with pytest.raises(ArithmeticError, match=r"given reaches 1\.5, the exploitability is 1\.0; it left the budget"):
        sparring.evaluate(duel, ROCK, [Given(MatrixPolicy(np.array([0.0, 1.0, 0.0])))])


@pytest.mark.parametrize(
    ("name", "attacker", "words"),
    [
        ("matrix", MatrixPolicy(np.array([0.5, 0.5])), "2 actions"),
        ("matrix", MarkovPolicy(np.array([[1.0, 0.0, 0.0]])), "a markov policy"),
        ("markov", MarkovPolicy(np.full((5, 4), 0.25)), "shape"),
        ("grid", Mixture((MatrixPolicy(np.ones(1)),), (1.0,)), "a matrix policy"),
    ],
)
def test_an_attacker_that_does_not_fit_is_refused(name, attacker, words):
    duel = DUELS[name]()
    with pytest.raises(RequestError) as caught:
        sparring.evaluate(duel, "uniform", [Given(attacker)])
    assert words in str(caught.value)


def test_an_attacker_outside_its_budget_is_refused():
    near, far = (sparring.attack("markov:grid-traps", "observation", radius) for radius in (1, 9))
    greedy = sparring.solve(sparring.attack("markov:grid-traps", "action", 0.0), "shapley").policy
    strong = far.best_response(greedy)
    assert (strong.probabilities[~near.effective.legal] > 0).any()
    assert sparring.evaluate(far, greedy, [Given(strong)]).attacks[0].value < 0
    with pytest.raises(RequestError, match="outside the budget of observation"):
        sparring.evaluate(near, greedy, [Given(strong)])
    part = near.best_response(greedy)
    with pytest.raises(RequestError, match="outside the budget of observation"):
        sparring.evaluate(near, greedy, [Given(Mixture((part, strong), (0.9, 0.1)))])


class Sampled(MatrixAttackGame):
    """A matrix game whose values are sampled with noise of a known size."""

    sigma = 1.0

    @property
    def can(self):
        return replace(super().can, exact_value=False, exact_response=frozenset())

    def measure(self, victim, attacker=None, rng=None, episodes=None):
        count = 100 if episodes is None else episodes
        error = self.sigma / np.sqrt(count)
        value = float(super().measure(victim, attacker)) + error * rng.standard_normal()
        return Estimate(value, ci95=(value - 1.96 * error, value + 1.96 * error), episodes=count)


def sampled(duel):
    return Sampled(duel.game, duel.charged, 0)


def sampled_duel(benign):
    return sampled(sparring.attack(RPS, budget=0.5, benign=benign))


def test_no_attack_competes_as_an_attacker():
    """The only attack found helps the victim: without it the victim's return is -1."""
    duel = sampled_duel([0.0, 1.0, 0.0])
    found = sparring.evaluate(duel, ROCK, [Given(MatrixPolicy(np.array([0.0, 0.0, 1.0])))], episodes=10_000)
    assert found.exploitability.method == "no attack"
    assert found.exploitability.lower == pytest.approx(1.0, abs=0.06)


def test_without_a_certificate_the_upper_end_is_the_least_return():
    duel = sampled_duel("uniform")
    report = sparring.evaluate(duel, ROCK, [Given(MatrixPolicy(np.array([0.0, 1.0, 0.0])))])
    found = report.exploitability
    assert (found.exact, found.upper, found.trivial_upper, found.confidence) == (False, 1.0, True, 0.95)
    assert found.lower == -report.attacks[0].ci95[1]
    assert found.lower <= 0.5 <= found.upper


def test_the_best_of_many_attackers_is_scored_on_episodes_of_its_own():
    """Twenty equal attackers on twenty streams: were the luckiest one believed, its limit would often be wrong."""

    class Lucky(Sampled):
        def measure(self, victim, attacker=None, rng=None, episodes=None):
            name = 0 if attacker is None else int(attacker.probabilities[0] * 1e6)
            return super().measure(victim, attacker, np.random.default_rng([int(rng.integers(2**32)), name]), episodes)

    base = sparring.attack(RPS, budget=0.5, benign="uniform")
    duel = Lucky(base.game, base.charged, 0)
    attackers = [MatrixPolicy(np.array([k * 1e-6, k * 1e-6, 1 - 2e-6 * k])) for k in range(20)]
    equal = np.full(3, 1 / 3)
    missed = sum(
        sparring.evaluate(duel, equal, [Given(a) for a in attackers], seed=seed, optimum=False).exploitability.lower > 0
        for seed in range(100)
    )
    assert missed <= 10


def test_without_oracles_the_nominal_value_is_all_there_is():
    report = sparring.evaluate(sampled_duel(ROCK), ROCK, [], episodes=10_000)
    assert report.attacks == []
    assert report.exploitability.method == "no attack"
    assert abs(report.nominal.value) < 0.05
    with pytest.raises(RequestError, match="name an oracle"):
        sparring.evaluate(sampled(DUELS["matrix without benign"]()), ROCK, [])


def test_metrics_are_reported_by_name():
    report = sparring.evaluate(DUELS["markov"](), "uniform", ["exact"], metrics=["visitation-shift"])
    shift = report.metrics["visitation-shift"]["exact"]
    assert 0 < shift <= 2
    assert ("metric", "visitation-shift") in {(plugin.kind, plugin.name) for plugin in report.provenance.plugins}
    with pytest.raises(RefusedError, match="visitation-shift"):
        sparring.evaluate(DUELS["matrix"](), "uniform", metrics=["visitation-shift"])


class NeedsGradients(Oracle):
    name = "needs-gradients"
    summary = "for tests"
    needs = frozenset({Ability.DIFFERENTIABLE})

    def attack(self, duel, victim, *, effort, rng):
        raise AssertionError("it must not be asked")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"oracles": ["exct"]}, "unknown oracle 'exct': did you mean 'exact'?"),
        ({"oracles": ["random(draws=0)"]}, "option draws = 0"),
        ({"oracles": [3]}, "3 is no oracle"),
        ({"oracles": [NeedsGradients()]}, "needs a victim with differentiable"),
        ({"metrics": ["visitation"]}, "unknown metric 'visitation'"),
        ({"metrics": [Metric]}, "is no metric"),
        ({"bounds": ["crwn"]}, "unknown bound-backend 'crwn'"),
        ({"victim": "unifrom"}, "did you mean 'uniform'?"),
        ({"victim": [0.5, 0.5]}, "shape [2]"),
        ({"victim": [0.5, 0.6, 0.1]}, "does not sum to one"),
        ({"victim": None}, "policy for"),
        ({"victim": MatrixPolicy(np.full(3, 1 / 3), 0)}, "seat 0, but the victim sits in 1"),
    ],
)
def test_a_wrong_request_is_refused(asked, words):
    given = {"victim": "uniform", "oracles": ["exact"]} | asked
    with pytest.raises(RequestError) as caught:
        sparring.evaluate(DUELS["matrix"](), **given)
    assert words in str(caught.value)


def test_a_value_that_is_not_finite_is_a_bug(monkeypatch):
    duel = DUELS["matrix"]()
    monkeypatch.setattr(type(duel), "measure", lambda *_: Estimate(math.nan))
    with pytest.raises(ArithmeticError, match="no attack: the return is nan"):
        sparring.evaluate(duel, "uniform")


def test_the_victim_is_told_as_it_was_given():
    duel = DUELS["matrix"]()
    policy = duel.draw(Side.VICTIM, np.random.default_rng(0))
    assert sparring.evaluate(duel, policy).victim.spec == "python:MatrixPolicy"
    assert sparring.evaluate(duel, ROCK).victim.spec == "python:list"
    assert sparring.evaluate(duel, policy, victim_spec="file:a.json").victim.spec == "file:a.json"
    words = "my best policy (2nd try"
    assert sparring.evaluate(duel, policy, victim_spec=words).victim.spec == words
