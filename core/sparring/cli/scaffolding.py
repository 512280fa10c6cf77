"""`sparring plugins new`."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from string import Template

from sparring.cli.templates.package import FILES
from sparring.errors import RequestError, nearest
from sparring.hookspecs import HOOKS
from sparring.registry import default_registry

__all__ = ["command", "write_package"]

LEGAL = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*\Z")
EXAMPLES = {
    "game": "sparring evaluate '$name:hide-and-seek(places=3)' --victim uniform --threat partial-control --budget 1",
    "threat-model": "sparring evaluate markov:sa-toy --victim uniform --threat $name --budget 0.3",
    "oracle": "sparring evaluate markov:sa-toy --victim uniform --threat observation --budget 1 --oracle $name",
    "solver": "sparring solve matrix:rock-paper-scissors --solver $name --threat partial-control --budget 1",
    "bound-backend": "sparring plugins list",
    "metric": "sparring evaluate markov:sa-toy --victim uniform --threat observation --budget 1 --metric $name",
    "policy-loader": "sparring evaluate markov:sa-toy --victim '$name(seed=3)' --threat observation --budget 1",
}
"""A command that uses the new plugin, by kind."""
EXTRAS = {"bound-backend": "[torch]"}
"""What Sparring must be installed with, by kind."""


@dataclass(frozen=True)
class Names:
    """What the new plugin is called wherever it needs a name."""

    kind: str
    name: str

    @property
    def distribution(self) -> str:
        """Of the package, and of its folder."""
        return f"sparring-{self.name}"

    @property
    def module(self) -> str:
        """Of the import package."""
        return f"sparring_{self.name.replace('-', '_')}"

    def in_python(self, text: str) -> str:
        """The text of a template module with the new names in it."""
        camel = "".join(part.capitalize() for part in self.name.split("-"))
        for placeholder, word in (
            ("TemplateName", camel),
            ("template-name", self.name),
            ("template_name", self.name.replace("-", "_")),
        ):
            text = text.replace(placeholder, word)
        # Here Sparring is at home, in the new package it is one library among others: sorted without a gap.
        return re.sub(r"((?:import numpy as np|from pydantic import Field)\n)\n(?=from sparring)", r"\1", text)


def command(kind: str, name: str, out: Path) -> None:
    """Write the package and say what to do with it."""
    from rich.console import Console

    folder = write_package(kind, name, out)
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"wrote {folder}", markup=False)
    console.print(f"next: pip install --editable {folder} && sparring plugins check {kind}.{name}", markup=False)


def write_package(kind: str, name: str, out: Path) -> Path:
    """Write a complete package for a new plugin into a new folder of `out`.

    Returns:
        The folder; it is whole, or was never there.

    Raises:
        RequestError: there is no such kind, the name is not legal or taken, or the folder exists or cannot be made.
    """
    names = _checked(kind, name)
    folder = out / names.distribution
    if os.path.lexists(folder):
        raise RequestError(f"{folder} exists and stays as it is; choose another name, or another folder with --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=out))
    except OSError as error:
        raise RequestError(f"--out {out}: {error.strerror}") from error
    try:
        for path, text in _contents(names).items():
            (unfinished / path).parent.mkdir(parents=True, exist_ok=True)
            (unfinished / path).write_text(text, encoding="utf-8")
        umask = os.umask(0)
        os.umask(umask)
        unfinished.chmod(0o777 & ~umask)
        unfinished.rename(folder)
    except OSError as error:
        raise RequestError(f"cannot write {folder}: {error.strerror}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)  # nothing is there any more when all went well
    return folder


def _checked(kind: str, name: str) -> Names:
    """The names, once they are seen to be legal and free."""
    if kind not in HOOKS:
        raise RequestError(f"plugins new: there is no kind {kind!r}; {nearest(kind, HOOKS)}")
    if not LEGAL.match(name):
        meant = _legalised(name)
        remedy = f"did you mean {meant!r}?" if LEGAL.match(meant) else "for example 'noisy-channel'"
        raise RequestError(f"plugins new: {name!r} is no name, expected lower-case words and hyphens; {remedy}")
    taken = [entry for entry in default_registry().entries if (entry.kind, entry.name) == (kind, name)]
    if taken:
        owner = f"{taken[0].distribution} {taken[0].version}"
        raise RequestError(f"plugins new: {owner} has {kind} {name!r} already; how about 'my-{name}'?")
    names = Names(kind, name)
    if importlib.util.find_spec(names.module) is not None:
        what = f"a package {names.module} is installed already"
        raise RequestError(f"plugins new: {what}; how about 'my-{name}'?")
    return names


def _legalised(name: str) -> str:
    """The legal name that is nearest to what was typed."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1-\2", name)
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-").lstrip("0123456789-")


def _contents(names: Names) -> dict[str, str]:
    """Every file of the package, by path."""
    source = files("sparring.cli.templates").joinpath(f"{names.kind.replace('-', '_')}.py")
    plugin = names.in_python(source.read_text(encoding="utf-8"))
    told = {
        "kind": names.kind,
        "name": names.name,
        "distribution": names.distribution,
        "module": names.module,
        "summary": _summary(plugin),
        "requirement": f"sparring{EXTRAS.get(names.kind, '')}>={version('sparring')}",
        "example": Template(EXAMPLES[names.kind]).substitute(name=names.name),
    }
    around = {Template(path).substitute(told): Template(text).substitute(told) for path, text in FILES.items()}
    return {f"src/{names.module}/__init__.py": plugin, **around}


def _summary(plugin: str) -> str:
    """What the plugin says of itself."""
    found = re.search(r'summary: ClassVar\[str\] = "(.*)"', plugin)
    assert found is not None
    return found[1]
