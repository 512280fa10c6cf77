"""Commands and their options; each command's work is imported when it runs, so that `--help` is quick."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

# Help is read by people and by programs; plain text serves both, and rich takes time to load.
os.environ.setdefault("TYPER_USE_RICH", "0")

import typer
from typer.exceptions import TyperException

__all__ = ["app", "invoke"]

CHOOSING = ("--plugin", "--disable", "--trust")
"""Options of `sparring` itself, which stand before the command."""
INTERRUPTED = 130
"""What typer makes of a KeyboardInterrupt; here it is one line and exit code 1, as everything that is not a mistake."""

app = typer.Typer(
    name="sparring",
    help="How exploitable is a policy under an attack budget, and how is it trained to be less so.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
plugins = typer.Typer(help="Find out about plugins.", rich_markup_mode=None)
app.add_typer(plugins, name="plugins")

Game = Annotated[str, typer.Argument(metavar="GAME", help="Such as kuhn_poker or matrix:rock-paper-scissors.")]
Threat = Annotated[
    list[str], typer.Option("--threat", metavar="SPEC", help="What the attacker may touch; repeat to compose.")
]
Seat = Annotated[int | None, typer.Option("--victim-player", metavar="N", help="The victim's seat, 0 or 1.")]
Benign = Annotated[
    str | None, typer.Option("--benign", metavar="SPEC", help="What the other agent does when not attacked.")
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Where all randomness starts.")]
Json = Annotated[
    str | None, typer.Option("--json", metavar="FILE", help="Write the document; - prints it and nothing else.")
]
Optimum = Annotated[
    bool, typer.Option("--optimum/--no-optimum", help="Compute the least exploitability of any victim, where known.")
]


@app.callback()
def choose(
    context: typer.Context,
    plugin: Annotated[
        list[Path] | None, typer.Option("--plugin", metavar="FILE", help="Run a Python file and take in its plugins.")
    ] = None,
    disable: Annotated[
        list[str] | None, typer.Option("--disable", metavar="NAME", help="Switch a plugin off; repeat for several.")
    ] = None,
    trust: Annotated[
        list[str] | None, typer.Option("--trust", metavar="SPEC", help="Consent to the code that a spec names.")
    ] = None,
) -> None:
    """Choose the plugins that the command works with."""
    if trust:
        from sparring.trust import trusting

        context.with_resource(trusting(trust))
    if plugin or disable:
        from sparring.cli import choosing

        context.with_resource(choosing.registry(plugin or (), disable or ()).in_use())


@app.command()
def evaluate(
    game: Game,
    victim: Annotated[
        list[str], typer.Option("--victim", metavar="SPEC", help="The policy to attack; repeat for several.")
    ],
    threat: Threat,
    budget: Annotated[
        list[str], typer.Option("--budget", metavar="E[,E...]", help="One for each threat, or a list for one threat.")
    ],
    victim_player: Seat = None,
    benign: Benign = None,
    oracle: Annotated[
        list[str] | None, typer.Option("--oracle", metavar="SPEC", help="Who attacks; repeat for several.")
    ] = None,
    bounds: Annotated[
        list[str] | None, typer.Option("--bounds", metavar="SPEC", help="Bound backends for the upper end.")
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", metavar="SPEC", help="What else to measure; repeat for several.")
    ] = None,
    episodes: Annotated[
        int | None, typer.Option("--episodes", metavar="N", min=1, help="Episodes to average on sampled forms.")
    ] = None,
    batch: Annotated[
        int | None, typer.Option("--batch", metavar="N", min=1, help="Episodes side by side in simulated games.")
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", metavar="N", min=0, help="Processes that simulate; 0 for this one alone.")
    ] = 0,
    seed: Seed = 0,
    over: Annotated[
        str, typer.Option("--over", metavar="WHAT", help="The interval is over the start distribution, or over seeds.")
    ] = "distribution",
    collapse_below: Annotated[
        float | None,
        typer.Option("--collapse-below", metavar="R", help="Returns below R count as collapsed episodes."),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option("--resume", metavar="DIR", help="Keep finished episodes here; play none twice.")
    ] = None,
    returns: Annotated[
        Path | None, typer.Option("--returns", metavar="FILE", help="Write one row an episode, .csv or .parquet.")
    ] = None,
    optimum: Optimum = True,
    json: Json = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw exploitability against budget.")
    ] = None,
) -> None:
    """Measure how exploitable a policy is."""
    from sparring.cli import evaluating

    evaluating.command(
        evaluating.Request(
            game, tuple(victim), tuple(threat), tuple(budget), victim_player, benign, tuple(oracle or ("exact",)),
            tuple(bounds or ()), tuple(metric or ()), episodes, seed, optimum, json, plot, batch, workers,
            over, collapse_below, resume, returns,
        )
    )  # fmt: skip


@app.command()
def solve(
    game: Game,
    solver: Annotated[str, typer.Option("--solver", metavar="SPEC", help="Such as min-oracle or lp.")],
    threat: Threat,
    budget: Annotated[list[str], typer.Option("--budget", metavar="E", help="One for each threat.")],
    victim_player: Seat = None,
    benign: Benign = None,
    iterations: Annotated[int, typer.Option("--iterations", metavar="N", min=1, help="How many.")] = 1000,
    seed: Seed = 0,
    effort: Annotated[
        int | None,
        typer.Option("--effort", metavar="N", min=1, help="Simulator steps of each trained response."),
    ] = None,
    optimum: Optimum = True,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder for the policy, the trace and checkpoints.")
    ] = None,
    json: Json = None,
) -> None:
    """Find a policy that is hard to exploit."""
    from sparring.cli import solving

    solving.command(
        solving.Request(
            game,
            solver,
            tuple(threat),
            tuple(budget),
            victim_player,
            benign,
            iterations,
            seed,
            optimum,
            out,
            json,
            effort,
        )
    )


@app.command()
def compare(
    documents: Annotated[list[Path], typer.Argument(metavar="DOC DOC [...]", help="Documents that evaluate wrote.")],
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw exploitability against budget.")
    ] = None,
    json: Json = None,
) -> None:
    """Put evaluations side by side; agents that played the same seeds are compared pair by pair."""
    from sparring.cli import comparing

    comparing.command(documents, plot, json)


@plugins.command("list")
def plugins_list(json: Json = None) -> None:
    """List what is installed, without importing any of it."""
    from sparring.cli import listing

    listing.command(json)


@plugins.command("info")
def plugins_info(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A plugin's name, or kind.name.")],
) -> None:
    """Show what a plugin declares: options, forms, source, where its code lies."""
    from sparring.cli import informing

    informing.command(name)


@plugins.command("check")
def plugins_check(
    name: Annotated[str, typer.Argument(metavar="PACKAGE-or-NAME", help="A package of plugins, or a plugin's name.")],
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail where something that a check needs is not installed.")
    ] = False,
) -> None:
    """Run the conformance kit: one line a check, exit code 1 if one fails."""
    from sparring.cli import checking

    raise typer.Exit(checking.command(name, strict))


@plugins.command("new")
def plugins_new(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="Such as threat-model, oracle or metric.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it will be asked for by, such as noisy-channel.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="The folder in which the package's own folder is made.")
    ] = Path(),
) -> None:
    """Write a complete package for a new plugin, which passes its own tests."""
    from sparring.cli import scaffolding

    scaffolding.command(kind, name, out)


def invoke(arguments: list[str]) -> int:
    """Run the app on arguments and return an exit code.

    Raises:
        RequestError: the arguments are wrong; the line names the nearest legal choice.
    """
    from sparring.errors import RequestError

    command: Any = typer.main.get_command(app)
    try:
        code = command.main(args=arguments or ["--help"], prog_name="sparring", standalone_mode=False)
    except TyperException as error:
        option, command_name = getattr(error, "option_name", ""), _named(arguments)
        told = f"see 'sparring {command_name}--help'"
        if option in CHOOSING and command_name:
            told = f"it goes before the command: sparring {option} ... {command_name}..."
        raise RequestError(f"{error.format_message()} ({told})") from None
    except typer.Abort:
        raise KeyboardInterrupt from None
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0


def _named(arguments: list[str]) -> str:
    """The command that the arguments name, followed by a space."""
    known = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    return next((f"{word} " for word in arguments if word in known | {"plugins"}), "")
