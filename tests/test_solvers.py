"""Solvers: what converges and what does not, traces that are true, runs that go on where they stopped."""

from __future__ import annotations

from dataclasses import asdict
from typing import ClassVar

import numpy as np
import pytest

import sparring
from sparring.attack_game import LearnerState, Side, StepInfo
from sparring.errors import RefusedError, RequestError
from sparring.markov.attack_game import MarkovAttackGame
from sparring.matrix.policy import MatrixPolicy
from sparring_plugins.solvers._loop import IterativeSolver, Play
from sparring_plugins.solvers._rates import rate_at
from sparring_plugins.solvers.self_play import SelfPlay

RPS = "matrix:rock-paper-scissors"
ZERO_SUM = "markov:random-zero-sum(seed=1)"
ITERATIVE = ("sgda", "agda", "sibr", "aibr", "min-oracle", "two-timescale", "self-play", "fictitious-play")


@pytest.fixture(scope="module")
def rps():
    return sparring.attack(RPS, "partial-control", 1.0)


@pytest.fixture(scope="module")
def markov():
    return sparring.attack(ZERO_SUM, "partial-control", 0.6, benign="uniform")


@pytest.fixture(scope="module")
def traces(rps):
    """Traces of figure 5: 2,000 iterations on rock-paper-scissors from three random starts."""
    solvers = ("sgda", "agda", "sibr", "aibr", "min-oracle", "fictitious-play", "two-timescale")
    return {
        name: [sparring.solve(rps, name, iterations=2000, seed=seed, trace_every=20).trace for seed in range(3)]
        for name in solvers
    }


@pytest.mark.parametrize("name", ["sgda", "agda", "sibr", "aibr"])
def test_last_iterates_of_single_timescale_methods_stay_exploitable(traces, name):
    """Rethinking, figure 5: they circle and come no nearer.

    The orbit of agda is closed and passes the equilibrium on one side, as near as .06 from some starts; the others
    stay away from it all around.
    """
    for trace in traces[name]:
        quarters = np.split(np.array([row.last for row in trace]), 4)
        peaks = [quarter.max() for quarter in quarters]
        assert min(peaks) >= 0.3
        assert peaks[3] >= 0.95 * peaks[1]
        if name != "agda":
            assert min(quarters[2].min(), quarters[3].min()) >= 0.2


def test_the_last_iterate_of_min_oracle_comes_near_the_equilibrium(traces):
    for trace in traces["min-oracle"]:
        assert max(row.last for row in trace[-10:]) <= 0.02


@pytest.mark.parametrize("name", ["sgda", "agda", "sibr", "aibr", "min-oracle", "fictitious-play"])
def test_averaged_policies_come_near_the_equilibrium(traces, name):
    for trace in traces[name]:
        assert trace[-1].averaged <= (0.05 if name == "fictitious-play" else 0.02)
        if name not in ("min-oracle", "fictitious-play"):  # those weigh otherwise than the mean of the trace does
            assert trace[-1].averaged <= trace[-1].mean  # exploitability is convex on a matrix


def test_the_last_iterate_of_two_timescale_comes_nearer_than_those_of_one(traces):
    two = max(max(row.last for row in trace[-20:]) for trace in traces["two-timescale"])
    one = min(min(row.last for row in trace[-20:]) for trace in traces["sgda"])
    assert two <= 0.15
    assert two < one / 2


def test_fictitious_play_goes_to_the_equilibrium_as_it_goes_on(rps):
    early, late = (sparring.solve(rps, "fictitious-play", iterations=count, seed=1) for count in (100, 10_000))
    assert late.kind == "averaged"
    assert late.trace[-1].averaged == rps.exploitability(late.policy).lower
    assert late.trace[-1].averaged < early.trace[-1].averaged / 3


@pytest.mark.parametrize("kind", ["last", "averaged", "best"])
@pytest.mark.parametrize("name", ITERATIVE)
def test_the_trace_tells_the_exploitability_of_what_is_handed_over(rps, name, kind):
    answer = sparring.solve(rps, f"{name}(policy={kind})", iterations=50, seed=3, trace_every=7)
    assert answer.kind == kind
    told = {
        "last": answer.trace[-1].last,
        "averaged": answer.trace[-1].averaged,
        "best": min(row.last for row in answer.trace),
    }
    assert rps.exploitability(answer.policy).lower == told[kind]
    assert [row.iteration for row in answer.trace] == [7, 14, 21, 28, 35, 42, 49, 50]
    assert [row.steps for row in answer.trace] == sorted(row.steps for row in answer.trace)
    assert answer.trace[-1].steps == 100
    for count, row in enumerate(answer.trace, start=1):
        assert row.mean == pytest.approx(np.mean([earlier.last for earlier in answer.trace[:count]]), abs=1e-15)
        assert row.gap == pytest.approx(row.last - answer.optimum.exploitability, abs=1e-15)
        assert row.seconds >= 0
        assert (row.gradient_norm is None) == (name in ("sibr", "aibr", "fictitious-play"))


@pytest.mark.parametrize("name", ["sgda", "agda", "sibr", "aibr", "min-oracle", "two-timescale", "self-play"])
def test_one_solver_runs_on_both_forms(markov, name):
    answer = sparring.solve(markov, name, iterations=60, seed=1)
    assert markov.exploitability(answer.policy).lower == min(row.last for row in answer.trace)
    assert all(row.averaged is None for row in answer.trace)  # an episode mixture has no exact exploitability
    assert all(row.gap >= -1e-9 for row in answer.trace)
    if name not in ("sibr", "aibr"):  # they leap between pure policies; the first may be the best
        assert min(row.last for row in answer.trace) < answer.trace[0].last


def test_the_same_seed_gives_the_same_run_and_another_one_does_not(rps):
    first, again, other = (sparring.solve(rps, "self-play", iterations=40, seed=seed) for seed in (5, 5, 6))
    assert timeless(first.trace) == timeless(again.trace)
    assert timeless(first.trace) != timeless(other.trace)


@pytest.mark.parametrize("seat", [0, 1])
@pytest.mark.parametrize("budget", [0.0, 0.4, 1.0])
def test_the_linear_programme_is_the_optimum(seat, budget):
    duel = sparring.attack(RPS, "partial-control", budget, victim_player=seat, benign=[0.5, 0.3, 0.2])
    answer = sparring.solve(duel, "lp", optimum=False)
    assert answer.kind == "optimal"
    (row,) = answer.trace
    assert row.last == duel.exploitability(answer.policy).lower
    assert row.gap == pytest.approx(0.0, abs=1e-9)
    assert row.seconds > 0
    # Nothing does better: no pure strategy, and none of many random ones.
    rng = np.random.default_rng(0)
    others = [*np.eye(3), *rng.dirichlet(np.ones(3), size=200)]
    assert row.last <= min(duel.exploitability(MatrixPolicy(other, seat)).lower for other in others) + 1e-9
    assert sparring.solve(duel, "lp").optimum.exploitability == answer.optimum.exploitability


def test_exact_solvers_are_timed_where_they_work(monkeypatch, rps):
    calls = []
    honest = type(rps).optimum
    monkeypatch.setattr(type(rps), "optimum", lambda duel: calls.append(duel) or honest(duel))
    assert sparring.solve(rps, "lp").trace[0].seconds > 0
    assert len(calls) == 1


@pytest.mark.parametrize("budget", [0.0, 0.4, 1.0])
def test_shapleys_iteration_is_the_optimum(budget):
    duel = sparring.attack(ZERO_SUM, "partial-control", budget, benign="uniform")
    answer = sparring.solve(duel, "shapley")
    assert answer.kind == "optimal"
    assert answer.trace[-1].last == duel.exploitability(answer.policy).lower
    assert answer.trace[-1].last == pytest.approx(answer.optimum.exploitability, abs=1e-7)
    assert answer.optimum.exploitability == pytest.approx(duel.optimum().exploitability, abs=1e-12)
    rng = np.random.default_rng(0)
    drawn = min(duel.exploitability(duel.draw(Side.VICTIM, rng)).lower for _ in range(100))
    assert answer.trace[-1].last <= drawn


def test_lp_and_shapley_agree_where_both_apply():
    payoff = sparring.load_game(RPS).payoff
    game = sparring.load_game(RPS)
    matrix = sparring.attack(game, "partial-control", 0.6, benign=[0.6, 0.3, 0.1])
    from sparring.markov.game import MarkovGame

    once = MarkovGame.from_arrays("once", np.ones((1, 3, 3, 1)), payoff[0][None], gamma=0.0)
    markov = sparring.attack(once, "partial-control", 0.6, benign=[[0.6, 0.3, 0.1]])
    assert isinstance(markov, MarkovAttackGame)
    first, second = sparring.solve(matrix, "lp"), sparring.solve(markov, "shapley")
    assert first.optimum.exploitability == pytest.approx(second.optimum.exploitability, abs=1e-9)
    assert first.trace[-1].last == pytest.approx(second.trace[-1].last, abs=1e-7)


@pytest.mark.parametrize("name", ["sibr", "aibr", "fictitious-play"])
def test_who_needs_the_victims_response_refuses_an_observation_attack_by_name(name):
    duel = sparring.attack("markov:sa-toy", "observation", 1)
    with pytest.raises(RefusedError, match=r"respond:victim on markov:sa-toy under observation: .*lemma 6\.2\.8"):
        sparring.solve(duel, name, iterations=3)
    assert sparring.solve(duel, "min-oracle", iterations=3).trace[-1].gap is None


def test_fictitious_play_refuses_mixtures_that_have_no_response(markov):
    with pytest.raises(RefusedError, match=r"respond:mixture on markov:random-zero-sum.*depend on the past"):
        sparring.solve(markov, "fictitious-play", iterations=3)


@pytest.mark.parametrize(
    ("game", "solver", "words"),
    [
        (RPS, "shapley", "needs a markov game"),
        (ZERO_SUM, "lp", "extensive, matrix game"),
        (RPS, "cfr+", "needs an extensive game"),
        (RPS, "min-oracel", "did you mean 'min-oracle'?"),
        (RPS, "sgda(rate=0)", "option rate = 0"),
        (RPS, "sgda(decay=linear)", "option decay = 'linear'"),
        (RPS, "sgda(policy=worst)", "option policy = 'worst'"),
        (RPS, "sgda(learner=ppo)", "learner 'ppo' on the matrix form: choose from: direct"),
        (RPS, 5, "5 is no solver"),
    ],
)
def test_a_wrong_solver_is_refused(game, solver, words):
    duel = sparring.attack(game, "partial-control", 1.0)
    with pytest.raises(RequestError) as caught:
        sparring.solve(duel, solver, iterations=2)
    assert words in str(caught.value)


@pytest.mark.parametrize("count", [0, -1])
def test_fewer_than_one_iteration_is_refused(rps, count):
    with pytest.raises(RequestError, match="expected a whole number from 1"):
        sparring.solve(rps, "sgda", iterations=count)


def timeless(trace):
    return [{key: value for key, value in asdict(row).items() if key != "seconds"} for row in trace]


def same(first, second):
    return first.to_document() == second.to_document()


class Stop:
    """Presses Ctrl-C once, when the trace reaches an iteration."""

    def __init__(self, iteration):
        self.iteration = iteration
        self.seen = []

    def __call__(self, row):
        self.seen.append(row.iteration)
        if row.iteration == self.iteration:
            raise KeyboardInterrupt


@pytest.mark.parametrize("kind", ["last", "drawn", "averaged", "best"])
@pytest.mark.parametrize("name", ITERATIVE)
def test_an_interrupted_run_goes_on_bit_for_bit(rps, tmp_path, name, kind):
    spec = f"{name}(policy={kind})"
    whole = sparring.solve(rps, spec, iterations=40, seed=2, trace_every=5)
    stopped = sparring.solve(rps, spec, iterations=40, seed=2, trace_every=5, folder=tmp_path / "run", report=Stop(15))
    assert stopped.interrupted
    assert timeless(stopped.trace) == timeless(whole.trace)[:3]
    again = sparring.solve(rps, spec, iterations=40, seed=2, trace_every=5, folder=tmp_path / "run")
    assert not again.interrupted
    assert timeless(again.trace) == timeless(whole.trace)
    assert same(again.policy, whole.policy)
    assert same(again.attacker, whole.attacker)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["checkpoint-000000040"]


@pytest.mark.parametrize("name", ["min-oracle", "self-play(policy=drawn)", "sgda(policy=averaged)", "aibr"])
def test_markov_runs_go_on_bit_for_bit_too(markov, tmp_path, name):
    whole = sparring.solve(markov, name, iterations=12, seed=2, trace_every=3)
    sparring.solve(markov, name, iterations=12, seed=2, trace_every=3, folder=tmp_path, report=Stop(6))
    again = sparring.solve(markov, name, iterations=12, seed=2, trace_every=3, folder=tmp_path)
    assert timeless(again.trace) == timeless(whole.trace)
    assert same(again.policy, whole.policy)


@pytest.mark.parametrize("when", [5, 40])
def test_an_interruption_at_either_end_keeps_the_trace(rps, when):
    stopped = sparring.solve(rps, "sgda", iterations=40, seed=2, trace_every=5, report=Stop(when))
    assert stopped.interrupted
    assert stopped.trace[-1].iteration == when
    assert rps.exploitability(stopped.policy).lower == min(row.last for row in stopped.trace)


class Interrupts(IterativeSolver):
    """Presses Ctrl-C inside an iteration."""

    name: ClassVar[str] = "interrupts"
    summary: ClassVar[str] = "for tests"

    def advance(self, duel, play, iteration, rng, effort):
        if iteration == 7:
            raise KeyboardInterrupt
        victim, info = duel.step(play.victim, duel.freeze(play.attacker), 0.1, rng)
        return Play(victim, play.attacker), info


@pytest.mark.parametrize(("every", "rows"), [(5, [5, 7]), (100, [7]), (1, [1, 2, 3, 4, 5, 6, 7])])
def test_an_interruption_between_rows_still_tells_what_is_handed_over(rps, every, rows):
    answer = sparring.solve(rps, Interrupts(policy="last"), iterations=20, seed=1, trace_every=every)
    assert answer.interrupted
    assert [row.iteration for row in answer.trace] == rows
    assert rps.exploitability(answer.policy).lower == answer.trace[-1].last


def test_a_run_may_be_made_longer(rps, tmp_path):
    sparring.solve(rps, "sgda", iterations=20, seed=2, trace_every=5, folder=tmp_path)
    longer = sparring.solve(rps, "sgda", iterations=40, seed=2, trace_every=5, folder=tmp_path)
    assert timeless(longer.trace) == timeless(sparring.solve(rps, "sgda", iterations=40, seed=2, trace_every=5).trace)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"seed": 3}, "seed"),
        ({"solver": "sgda(rate=0.2)"}, "solver"),
        ({"solver": "agda"}, "solver"),
        ({"game": "matrix:matching-pennies"}, "game"),
        ({"budget": 0.5}, "threats"),
        ({"seat": 1}, "seat"),
    ],
)
def test_a_folder_of_another_run_is_refused(tmp_path, change, word):
    def run(game=RPS, budget=1.0, seat=0, solver="sgda", seed=2):
        duel = sparring.attack(game, "partial-control", budget, victim_player=seat, benign="uniform")
        return sparring.solve(duel, solver, iterations=4, seed=seed, folder=tmp_path)

    run()
    with pytest.raises(RequestError, match=f"holds a run with another .*{word}"):
        run(**change)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"of": 1}'])
def test_a_damaged_checkpoint_is_refused_in_one_line(rps, tmp_path, text):
    sparring.solve(rps, "sgda", iterations=4, seed=2, folder=tmp_path)
    (tmp_path / "checkpoint-000000004" / "loop.json").write_text(text)
    with pytest.raises(RequestError, match="checkpoint-000000004") as caught:
        sparring.solve(rps, "sgda", iterations=8, seed=2, folder=tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PK", b"text"])
def test_a_damaged_learner_is_refused_in_one_line(rps, tmp_path, content):
    sparring.solve(rps, "sgda", iterations=4, seed=2, folder=tmp_path)
    (tmp_path / "checkpoint-000000004" / "victim.npz").write_bytes(content)
    with pytest.raises(RequestError, match=r"victim\.npz"):
        sparring.solve(rps, "sgda", iterations=8, seed=2, folder=tmp_path)


def test_a_checkpoint_that_was_not_finished_is_passed_over(rps, tmp_path):
    whole = sparring.solve(rps, "sgda", iterations=8, seed=2, trace_every=4)
    sparring.solve(rps, "sgda", iterations=4, seed=2, trace_every=4, folder=tmp_path)
    half = tmp_path / "checkpoint-000000006"
    half.mkdir()
    (half / "victim.npz").write_bytes(b"half")
    again = sparring.solve(rps, "sgda", iterations=8, seed=2, trace_every=4, folder=tmp_path)
    assert timeless(again.trace) == timeless(whole.trace)
    assert not half.exists()


class Walks(IterativeSolver):
    """Plays the action of the iteration's number, with a weight that grows."""

    name: ClassVar[str] = "walks"
    summary: ClassVar[str] = "for tests"
    weights: ClassVar[tuple[float, ...]] = (1.0, 3.0, 6.0)

    def weight(self, iteration):
        return self.weights[iteration]

    def advance(self, duel, play, iteration, rng, effort):
        return Play(LearnerState(Side.VICTIM, np.eye(3)[iteration]), play.attacker), StepInfo(1)


def test_the_drawn_policy_is_drawn_in_proportion_to_the_step_sizes(rps):
    runs = 1500
    counts = np.zeros(3)
    for seed in range(runs):
        counts += sparring.solve(
            rps, Walks(policy="drawn"), iterations=3, seed=seed, optimum=False
        ).policy.probabilities
    expected = runs * np.array(Walks.weights) / sum(Walks.weights)
    # Two degrees of freedom: 18.4 is exceeded by chance once in 10,000.
    assert float(np.sum((counts - expected) ** 2 / expected)) < 18.4


def test_the_average_weighs_by_the_step_sizes(rps):
    answer = sparring.solve(rps, Walks(policy="averaged"), iterations=3)
    assert answer.policy.probabilities == pytest.approx(np.array([0.1, 0.3, 0.6]), abs=1e-15)


def test_step_sizes_fall_as_asked():
    assert [rate_at(0.2, "none", iteration) for iteration in (0, 3)] == [0.2, 0.2]
    assert [rate_at(0.2, "sqrt", iteration) for iteration in (0, 3)] == [0.2, 0.1]


def test_gradient_steps_are_those_of_the_paper(rps):
    """Appendix C, one iteration by hand: sgda against the old opponent, agda against the new attacker."""
    from sparring.projection import project_simplex

    rate = 0.3
    x, y = (rps.start(side, 4).parameters for side in (Side.VICTIM, Side.ATTACKER))
    payoff = rps.payoff
    new_y = project_simplex(y - rate * (x @ payoff))
    expected = {
        "sgda": project_simplex(x + rate * (payoff @ y)),
        "agda": project_simplex(x + rate * (payoff @ new_y)),
        "min-oracle": project_simplex(x + rate * payoff[:, (x @ payoff).argmin()]),
        "two-timescale": project_simplex(x + rate * (payoff @ y)),
    }
    for name, wanted in expected.items():
        options = "victim_rate=0.3,attacker_rate=0.3" if name == "two-timescale" else "rate=0.3,decay=none"
        answer = sparring.solve(rps, f"{name}({options},policy=last)", iterations=1, seed=4)
        assert answer.policy.probabilities == pytest.approx(wanted, abs=1e-15)
        if name in ("sgda", "agda"):
            assert answer.attacker.probabilities == pytest.approx(new_y, abs=1e-15)


def test_best_responses_are_to_whom_the_paper_says(rps):
    """Appendix C, one iteration by hand: sibr answers the old opponent, aibr the new attacker."""
    told_apart = 0
    for seed in range(20):
        x, y = (rps.start(side, seed).parameters for side in (Side.VICTIM, Side.ATTACKER))
        new_y = np.eye(3)[(x @ rps.payoff).argmin()]
        answers = {
            name: sparring.solve(rps, f"{name}(policy=last)", iterations=1, seed=seed) for name in ("sibr", "aibr")
        }
        assert answers["sibr"].policy.probabilities.argmax() == (rps.payoff @ y).argmax()
        assert answers["aibr"].policy.probabilities.argmax() == (rps.payoff @ new_y).argmax()
        assert all(answer.attacker.probabilities.tolist() == new_y.tolist() for answer in answers.values())
        told_apart += (rps.payoff @ y).argmax() != (rps.payoff @ new_y).argmax()
    assert told_apart >= 3


@pytest.mark.parametrize(("delta", "oldest"), [(0.0, 0), (0.5, 5), (1.0, 9)])
def test_self_play_draws_from_the_newest_part_of_the_history(delta, oldest):
    past = tuple(MatrixPolicy(np.eye(10)[number]) for number in range(10))
    solver, rng = SelfPlay(delta=delta), np.random.default_rng(0)
    drawn = {int(solver._drawn(past, rng).probabilities.argmax()) for _ in range(400)}
    assert drawn == set(range(oldest, 10))


def test_self_play_forgets_the_oldest(rps, tmp_path):
    import json

    sparring.solve(rps, "self-play(history=4,every=2)", iterations=20, seed=0, folder=tmp_path)
    memory = json.loads((tmp_path / "checkpoint-000000020" / "loop.json").read_text())["memory"]
    assert {name: len(kept) for name, kept in memory.items()} == {"victim": 4, "attacker": 4}
