"""`sparring evaluate`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sparring.attack_game import AttackGame
from sparring.attacking import attack
from sparring.cli.asking import budget_lists, check_target, shell_words, write_document
from sparring.cli.progress import progress_bar
from sparring.cli.tables import evaluation_table, show, statistics_table, tried_table
from sparring.document import Evaluation
from sparring.episode_rows import check_table, save_rows
from sparring.errors import RequestError
from sparring.evaluating import evaluate
from sparring.games import load_game
from sparring.policy import Policy
from sparring.policy_specs import describe, resolve_policy

__all__ = ["Request", "command"]


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line."""

    game: str
    victims: tuple[str, ...]
    threats: tuple[str, ...]
    budgets: tuple[str, ...]
    victim_player: int | None
    benign: str | None
    oracles: tuple[str, ...]
    bounds: tuple[str, ...]
    metrics: tuple[str, ...]
    episodes: int | None
    seed: int
    optimum: bool
    json: str | None
    plot: Path | None
    batch: int | None = None
    workers: int = 0
    over: str = "distribution"
    collapse_below: float | None = None
    resume: Path | None = None
    returns: Path | None = None


def command(request: Request) -> None:
    """Evaluate every victim at every budget; show a table, write the document."""
    check_target(request.json)
    for path in (request.plot, request.returns, request.resume):
        check_target(None if path is None else str(path), folder=path is request.resume)
    if request.returns is not None:
        check_table(request.returns)
    budgets = budget_lists(request.threats, request.budgets)
    found = evaluations(request, budgets)
    documents = [evaluation.to_document() for evaluation in found]
    single = len(budgets) == 1 and "," not in request.budgets[0] and len(request.victims) == 1
    write_document(request.json, documents[0] if single else documents)
    if request.returns is not None:
        save_rows(found, request.returns)
    show(evaluation_table(found), aside=request.json == "-")
    if any(item.nominal.statistics is not None for item in found):
        show(statistics_table(found), aside=request.json == "-")
    if any(attack.tried for item in found for attack in item.attacks):
        show(tried_table(found), aside=request.json == "-")
    if request.plot is not None:
        from sparring.pictures import budget_curves

        budget_curves(found, request.plot)


def evaluations(request: Request, budgets: list[list[float]]) -> list[Evaluation]:
    """All evaluations, victims before budgets; games, policies and attack games are made once."""
    game = load_game(request.game)
    seat = game.check_seat(request.victim_player)
    duels = [
        _in_batches(attack(game, list(request.threats), values, victim_player=seat, benign=request.benign), request)
        for values in budgets
    ]
    found: list[Evaluation] = []
    with progress_bar(len(request.victims) * len(duels), "evaluating") as advance:
        for victim in request.victims:
            policy = resolve_policy(victim, game, seat)
            for duel in duels:
                found.append(_evaluation(request, duel, victim, policy))
                advance(len(found), f"evaluating {victim}")
    return found


def _in_batches(duel: AttackGame, request: Request) -> AttackGame:
    """The attack game, played in batches as asked for.

    Raises:
        RequestError: it was asked for, and nothing is simulated.
    """
    from sparring.simulated.attack_game import BATCH, SimulatedAttackGame

    if request.batch is None and request.workers == 0:
        return duel
    if not isinstance(duel, SimulatedAttackGame):
        raise RequestError(f"--batch and --workers are of simulated games, {duel.game.spec} is {duel.game.form}")
    return duel.in_batches(BATCH if request.batch is None else request.batch, request.workers)


def _evaluation(request: Request, duel: AttackGame, victim: str, policy: Policy) -> Evaluation:
    return evaluate(
        duel,
        policy,
        request.oracles,
        bounds=request.bounds,
        metrics=request.metrics,
        episodes=request.episodes,
        seed=request.seed,
        over=request.over,  # type: ignore[arg-type]  # checked there
        collapse_below=request.collapse_below,
        resume=request.resume,
        optimum=request.optimum,
        command=shell_words(),
        victim_spec=describe(victim),
    )
