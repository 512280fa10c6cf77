"""docs/plugins.md lists every extension point with its exact signature, and the promises it makes hold.

`python tests/test_extension_points.py` writes the signatures on the page anew. Read first what the page promises:
within an interface version nothing that is listed may go or change.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import warnings
from enum import Enum
from pathlib import Path

import pytest

import sparring.registry
from sparring import access, attack_game, hookspecs, oracle, solver
from sparring.attack_game import AttackGame
from sparring.game import Game
from sparring.hookspecs import HOOKS
from sparring.kinds import BASES
from sparring.metric import Scored
from sparring.plugin import INTERFACE, OLDEST_INTERFACE, Plugin
from sparring.policy import Ability, Policy
from sparring.registry import PluginError, Registry
from throwaway import ORACLE, install

BLOCK = re.compile(r"^```py\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HANDED = [
    Policy, Ability, Game, AttackGame, attack_game.Capabilities, attack_game.Side, attack_game.Operation,
    attack_game.Effort, attack_game.LearnerState, attack_game.StepInfo,
    attack_game.Optimum, oracle.Finding, Scored, solver.Run, solver.TraceRow, solver.Answer,
    access.OpponentAccess, access.ObservationAccess, access.ActionAccess, access.DynamicsAccess, access.InputAccess,
    access.Ball,
]  # fmt: skip
CLASSES = [Plugin, *BASES.values(), *HANDED]


class Raw:
    """An annotation that prints as it was written."""

    def __init__(self, text):
        self.text = text

    def __repr__(self):
        return self.text


def signature(function):
    """`inspect.signature` as text, with annotations as they were written."""
    found = inspect.signature(function)
    parts = [
        part if part.annotation is part.empty else part.replace(annotation=Raw(part.annotation))
        for part in found.parameters.values()
    ]
    return str(found.replace(parameters=parts, return_annotation=Raw(found.return_annotation)))


def told(thing):
    """What the page must say of a class: its own fields with defaults, and its public methods with signatures."""
    tree = ast.parse(inspect.getsource(thing)).body[0]
    bases = ", ".join(ast.unparse(base) for base in tree.bases)
    lines = [f"class {tree.name}({bases}):" if bases else f"class {tree.name}:"]
    for part in tree.body:
        field = isinstance(part, ast.AnnAssign) and not ast.unparse(part.target).startswith("_")
        if field or (isinstance(part, ast.Assign) and issubclass(thing, Enum)):
            lines.append(f"    {ast.unparse(part)}")
        elif isinstance(part, ast.FunctionDef) and not part.name.startswith("_"):
            found = vars(thing)[part.name]
            plain = getattr(found, "fget", None) or getattr(found, "__func__", found)
            lines += [f"    @{ast.unparse(mark)}" for mark in part.decorator_list]
            lines.append(f"    def {part.name}{signature(plain)}")
    return "\n".join(lines).replace("'", '"')


@pytest.fixture(scope="module")
def page(checkout):
    return (checkout / "docs" / "plugins.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def listed(page):
    """Blocks of the page by the name of the class or function that they are about."""
    return {re.match(r"(?:class|def) (\w+)", block)[1]: block.rstrip() for block in BLOCK.findall(page)}


@pytest.mark.parametrize("thing", CLASSES, ids=lambda thing: thing.__name__)
def test_the_page_gives_the_exact_signature(listed, thing):
    assert listed[thing.__name__] == told(thing)


def test_nothing_of_a_dataclass_is_left_out():
    for thing in HANDED:
        for field in dataclasses.fields(thing) if dataclasses.is_dataclass(thing) else ():
            assert re.search(rf"^    {field.name}: ", told(thing), re.MULTILINE)


def test_every_hook_is_listed_with_its_signature(listed):
    for hook in HOOKS.values():
        assert listed[hook] == f"def {hook}{signature(getattr(hookspecs, hook))}"


def test_nothing_is_listed_that_is_not_there(listed):
    assert set(listed) == {thing.__name__ for thing in CLASSES} | set(HOOKS.values())


def test_the_page_names_every_kind_and_the_interface(page):
    for kind, hook in HOOKS.items():
        assert re.search(rf"^### .*`{kind}`", page, re.MULTILINE), kind
        assert f"`{hook}`" in page
    assert f"The interface has version **{INTERFACE}**" in page


# ---- the promise of compatibility ------------------------------------------------------------------------------------


@pytest.fixture
def installed(tmp_path, monkeypatch, request):
    """A registry with one stranger's oracle, written for an interface version; None does not say any."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(version):
        text = ORACLE.format(name="mine", word="a stranger")
        said = text if version is None else text.replace("summary =", f"interface = {version}\n    summary =")
        module = f"promised_{abs(hash(request.node.name))}"
        install(tmp_path, "acme-attacks", {"oracle.mine": module}, {module: said})
        registry = Registry()
        return lambda: registry.load(registry.find("oracle", "mine"))

    return make


def next_interface(monkeypatch, version, oldest):
    """Pretend to be a Sparring of a later interface."""
    monkeypatch.setattr("sparring.plugin.INTERFACE", version)
    monkeypatch.setattr("sparring.plugin.OLDEST_INTERFACE", oldest)


def test_the_oldest_is_the_one_before_at_most():
    assert max(1, INTERFACE - 1) == OLDEST_INTERFACE


@pytest.mark.parametrize("version", [1, None])
def test_a_plugin_for_version_1_loads_without_a_word(installed, version):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert installed(version)().name == "mine"


@pytest.mark.parametrize("version", [1, None])
def test_one_version_later_it_still_loads_and_is_told(installed, monkeypatch, version):
    load = installed(version)
    next_interface(monkeypatch, 2, 1)
    told_of = r"'mine' of acme-attacks 1\.2\.3.*written for plugin interface 1; it works now, and not after 2"
    with pytest.warns(DeprecationWarning, match=told_of):
        plugin = load()
    assert issubclass(plugin, oracle.Oracle)


@pytest.mark.parametrize("version", [1, None])
def test_two_versions_later_it_is_refused_by_name(installed, monkeypatch, version):
    load = installed(version)
    next_interface(monkeypatch, 3, 2)
    with pytest.raises(PluginError, match=r"acme-attacks 1\.2\.3.*interface 1.*has 2 or later; upgrade acme-attacks"):
        load()


def test_a_plugin_for_the_next_version_is_refused_by_name(installed):
    with pytest.raises(PluginError, match=rf"needs plugin interface {INTERFACE + 1}, this Sparring has {INTERFACE}"):
        installed(INTERFACE + 1)()


def test_the_registry_reads_the_version_when_it_loads():
    assert "INTERFACE" not in vars(sparring.registry)


def write_signatures(page):
    """Put today's signatures into the blocks of the page; what has no block yet is left to its writer."""
    now = {thing.__name__: told(thing) for thing in CLASSES}
    now |= {hook: f"def {hook}{signature(getattr(hookspecs, hook))}" for hook in HOOKS.values()}

    def renewed(block):
        name = re.match(r"(?:class|def) (\w+)", block[1])[1]
        return f"```py\n{now.get(name, block[1].rstrip())}\n```"

    page.write_text(BLOCK.sub(renewed, page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write_signatures(Path(__file__).resolve().parent.parent / "docs" / "plugins.md")
