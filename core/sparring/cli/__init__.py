"""The command line: `sparring evaluate | solve | compare | plugins`."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 2 the request was wrong, 1 anything else."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code; a user's mistake is one line on standard error."""
    from sparring.cli.app import invoke
    from sparring.errors import RequestError, SparringError

    try:
        return invoke(sys.argv[1:] if arguments is None else arguments)
    except RequestError as error:
        return _complain(error, 2)
    except (SparringError, ArithmeticError) as error:  # the latter is what is not a number, or cannot be true
        return _complain(error, 1)
    except KeyboardInterrupt:
        return _complain("interrupted", 1)
    except BrokenPipeError:
        # The reader of our output went away (as `head` does); there is nobody left to tell.
        sys.stderr.close()
        return 1


def _complain(what: object, code: int) -> int:
    line = " ".join(str(what).split())
    print(f"sparring: {line}", file=sys.stderr)  # noqa: T201  # the command line's own voice
    return code
