"""Options behind a path, as in `sb3:agent.zip(normalisation=vecnormalize.pkl)`."""

from __future__ import annotations

from pathlib import Path

from sparring.specs import Scalar, parse

__all__ = ["path_options"]


def path_options(argument: str) -> tuple[Path, dict[str, Scalar]]:
    """The path, and the options that a closing parenthesis ends; a file that really has such a name is taken as it is.

    Raises:
        RequestError: what stands between the parentheses are no options.
    """
    whole = Path(argument).expanduser()
    head, parenthesis, inside = argument.rpartition("(")
    if not parenthesis or not argument.endswith(")") or whole.exists():
        return whole, {}
    return Path(head).expanduser(), dict(parse(f"options({inside}").options)
