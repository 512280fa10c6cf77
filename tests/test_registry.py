"""The registry: built-ins come through the same door, and a broken plugin is named and breaks nothing else."""

from __future__ import annotations

import inspect
import itertools
import json
import os
import subprocess
import sys

import pytest

import sparring
from sparring import hookspecs
from sparring.errors import RequestError
from sparring.hookspecs import HOOKS
from sparring.kinds import BASES
from sparring.plugin import INTERFACE
from sparring.provenance import files_hash
from sparring.registry import PluginError, Registry, installed_entries
from throwaway import ORACLE, install

COUNT = itertools.count()


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Installs a distribution with one module; returns its fresh name. `{module}` in points stands for it."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(distribution, source, point="oracle.mine", **others):
        module = f"throwaway_{next(COUNT)}"
        text = source.format(name="mine", word=distribution) if source is ORACLE else source
        install(tmp_path, distribution, {point: module}, {module: text}, **others)
        return module

    return make


def fault_of(registry, kind="oracle", name="mine"):
    with pytest.raises(PluginError) as caught:
        registry.load(registry.find(kind, name))
    return str(caught.value)


def check_line(line, module, *words):
    """Every fault is one line that names distribution, version, module, hook and a remedy."""
    assert "\n" not in line
    for word in ("'mine'", "acme-attacks 1.2.3", module, "sparring_oracles()", *words):
        assert word in line
    assert any(remedy in line for remedy in ("repair or upgrade acme-attacks", "upgrade sparring"))


def check_source(plugin, source, *words):
    module = plugin("acme-attacks", source)
    check_line(fault_of(Registry()), module, *words)


def test_built_ins_come_through_the_entry_points():
    registry = Registry()
    ours = [entry for entry in registry.entries if entry.distribution == "sparring"]
    assert {entry.kind for entry in ours} >= {"game", "threat-model", "oracle", "solver", "metric", "policy-loader"}
    for entry in ours:
        found = registry.load(entry)
        assert found.name == entry.name
        assert found.kind == entry.kind
        assert issubclass(found, BASES[entry.kind])
        assert found.summary
        assert "\n" not in found.summary
        assert found.__module__.startswith(("sparring_plugins.", "sparring_games."))


def test_names_of_built_ins_are_unique():
    names = [entry.name for entry in installed_entries() if entry.distribution == "sparring"]
    repeated = {name for name in names if names.count(name) > 1}
    # One name for two kinds is legal; of the built-ins none needs it, so `plugins info NAME` shows one plugin.
    assert repeated == set()


def test_every_hook_is_documented_and_has_a_kind():
    found = {name: thing for name, thing in vars(hookspecs).items() if name.startswith("sparring_")}
    assert set(found) == set(HOOKS.values())
    assert set(HOOKS) == set(BASES)
    for hook in found.values():
        text = inspect.getdoc(hook)
        assert text is not None
        assert text.endswith(".")
        assert text.count(".") == 1
        assert list(inspect.signature(hook).parameters) == []


def test_a_strangers_plugin_works_by_the_same_door(plugin, tmp_path):
    module = plugin("acme-attacks", ORACLE)
    registry = Registry()
    assert "mine" in registry.names("oracle")
    duel = sparring.attack("matrix:rock-paper-scissors", "partial-control", 1.0)
    report = sparring.evaluate(duel, "uniform", oracles=["mine", "exact"], registry=registry)
    assert [attack.oracle for attack in report.attacks] == ["mine", "exact"]
    record = next(item for item in report.provenance.plugins if item.name == "mine")
    assert (record.kind, record.distribution, record.version) == ("oracle", "acme-attacks", "1.2.3")
    assert record.sha256 is not None
    assert len(record.sha256) == 64
    (tmp_path / f"{module}.py").write_text("# changed\n", encoding="utf-8")
    files_hash.cache_clear()
    assert files_hash("acme-attacks") != record.sha256


def test_an_import_that_fails_is_named(plugin):
    module = plugin("acme-attacks", "import there_is_no_such_library\n")
    line = fault_of(Registry())
    check_line(line, module, "ModuleNotFoundError", "there_is_no_such_library")


def test_a_module_that_is_not_there_is_named(plugin, tmp_path):
    module = plugin("acme-attacks", "")
    (tmp_path / f"{module}.py").unlink()
    check_line(fault_of(Registry()), module, "ModuleNotFoundError")


def test_a_misspelt_hook_is_named(plugin):
    module = plugin(
        "acme-attacks", ORACLE.format(name="mine", word="x").replace("sparring_oracles", "sparring_orcales")
    )
    registry = Registry()
    check_line(fault_of(registry), module, "sparring_orcales", "did you mean 'sparring_oracles'?")
    # The failed plugin leaves nothing behind: others load, and it fails the same way again.
    assert registry.create("oracle", "exact").name == "exact"
    check_line(fault_of(registry), module, "sparring_orcales")


def test_a_hook_with_arguments_of_its_own_is_named(plugin):
    source = ORACLE.format(name="mine", word="x").replace("sparring_oracles()", "sparring_oracles(extra)")
    check_source(plugin, source, "extra")


def test_a_hook_of_another_kind_is_named(plugin):
    source = "from sparring import hookimpl\n\n@hookimpl\ndef sparring_metrics():\n    return []\n"
    check_source(plugin, source, "does not implement the hook")


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("return None", "returned None"),
        ("return 'Mine'", "returned 'Mine'"),
        ("return Mine", "returned <class"),
        ("return [Mine()]", "expected subclasses of Oracle"),
        ("return [int]", "expected subclasses of Oracle"),
        ("return ['mine']", "expected subclasses of Oracle"),
        ("return []", "offers no 'mine'"),
        ("raise ValueError('broken inside')", "ValueError: broken inside"),
    ],
)
def test_a_hook_that_gives_the_wrong_thing_is_named(plugin, body, word):
    source = ORACLE.format(name="mine", word="x").replace("return [Mine]", body)
    check_source(plugin, source, word)


def test_a_class_of_another_name_is_named(plugin):
    source = ORACLE.format(name="mien", word="x")
    check_source(plugin, source, "offers no 'mine'", "did you mean 'mien'?")


def test_a_missing_method_is_named(plugin):
    source = ORACLE.format(name="mine", word="x").replace("def attack", "def atack")
    check_source(plugin, source, "Mine does not define attack")


def test_a_missing_declaration_is_named(plugin):
    source = ORACLE.format(name="mine", word="x").replace("summary =", "sumary =")
    check_source(plugin, source, "Mine does not define summary")


def test_a_plugin_for_a_newer_interface_is_named(plugin):
    source = ORACLE.format(name="mine", word="x").replace("summary =", f"interface = {INTERFACE + 1}\n    summary =")
    # What a newer interface calls its methods nobody knows here; the version is what is wrong.
    plugin("acme-attacks", source.replace("def attack", "def strike"))
    line = fault_of(Registry())
    assert f"interface {INTERFACE + 1}, this Sparring has {INTERFACE}" in line
    assert "upgrade sparring" in line
    assert "does not define" not in line


def test_a_kind_that_there_is_not_is_named(plugin):
    plugin("acme-attacks", ORACLE, point="oracel.mine")
    line = fault_of(Registry(), "oracel")
    assert "acme-attacks 1.2.3" in line
    assert "no kind 'oracel'; did you mean 'oracle'?" in line


def test_a_broken_plugin_breaks_only_what_needs_it(plugin):
    plugin("acme-attacks", "import there_is_no_such_library\n")
    plugin("acme-games", "raise RuntimeError('no')\n", point="game.mine")
    registry = Registry()
    assert registry.load_game("matrix:matching-pennies").players == 2
    assert registry.load_game("kuhn_poker").spec == "kuhn_poker"
    with pytest.raises(PluginError, match="acme-games"):
        registry.load_game("mine:x")
    with pytest.raises(RequestError, match=r"unknown game 'kuhn_pokr': did you mean 'kuhn_poker'\?.*acme-games"):
        registry.load_game("kuhn_pokr")
    duel = sparring.attack("matrix:matching-pennies", "partial-control", 1.0, registry=registry)
    assert sparring.evaluate(duel, "uniform", registry=registry).exploitability.exact
    assert sparring.solve(duel, "lp", registry=registry).kind == "optimal"


def test_two_distributions_with_one_name_must_be_told_apart(plugin):
    plugin("acme-attacks", ORACLE)
    plugin("other-attacks", ORACLE, version="7.0")
    registry = Registry()
    assert registry.names("oracle").count("mine") == 1
    with pytest.raises(RequestError) as caught:
        registry.create("oracle", "mine")
    assert "2 distributions: say 'acme-attacks:mine' or 'other-attacks:mine'" in str(caught.value)
    assert registry.create("oracle", "acme-attacks:mine").summary == "an oracle of acme-attacks"
    assert registry.create("oracle", "other-attacks:mine").summary == "an oracle of other-attacks"
    with pytest.raises(RequestError, match="not of 'nobody', but of 'acme-attacks'"):
        registry.create("oracle", "nobody:mine")
    duel = sparring.attack("matrix:matching-pennies", "partial-control", 1.0)
    report = sparring.evaluate(duel, "uniform", oracles=["other-attacks:mine"], registry=registry)
    record = next(item for item in report.provenance.plugins if item.kind == "oracle")
    assert (record.name, record.distribution, record.version) == ("mine", "other-attacks", "7.0")


def test_two_families_with_one_name_are_told_apart_by_switching_one_off(plugin, monkeypatch):
    plugin("acme-games", ORACLE, point="game.matrix")
    with pytest.raises(RequestError) as caught:
        Registry().load_game("matrix:matching-pennies")
    assert "SPARRING_DISABLE=acme-games:game.matrix" in str(caught.value)
    monkeypatch.setenv("SPARRING_DISABLE", "acme-games:game.matrix")
    assert Registry().load_game("matrix:matching-pennies").players == 2


@pytest.mark.parametrize("switch", ["mine", "oracle.mine", "acme-attacks:mine", " other , acme-attacks:oracle.mine "])
def test_a_plugin_can_be_switched_off(plugin, monkeypatch, switch):
    plugin("acme-attacks", ORACLE)
    assert "mine" in Registry().names("oracle")
    monkeypatch.setenv("SPARRING_DISABLE", switch)
    registry = Registry()
    assert "mine" not in registry.names("oracle")
    assert "exact" in registry.names("oracle")
    with pytest.raises(RequestError, match="unknown oracle 'mine'"):
        registry.create("oracle", "mine")


@pytest.mark.parametrize("switch", ["metric.mine", "other-attacks:mine", "min", ""])
def test_switching_off_something_else_leaves_it(plugin, monkeypatch, switch):
    plugin("acme-attacks", ORACLE)
    monkeypatch.setenv("SPARRING_DISABLE", switch)
    assert "mine" in Registry().names("oracle")


def test_unknown_names_say_what_was_meant():
    registry = Registry()
    with pytest.raises(RequestError, match="unknown solver 'min-oracel': did you mean 'min-oracle'"):
        registry.create("solver", "min-oracel")
    with pytest.raises(RequestError, match="unknown game 'matrx': did you mean 'matrix'"):
        registry.load_game("matrx:rock-paper-scissors")
    with pytest.raises(RequestError, match="there is no option 'rat'; did you mean 'rate'"):
        registry.create("solver", "sgda(rat=1)")
    with pytest.raises(RequestError, match="option rate = -1"):
        registry.create("solver", "sgda(rate=-1)")


def test_listing_imports_no_plugin(tmp_path):
    install(tmp_path, "acme-attacks", {"oracle.mine": "never_imported"}, {"never_imported": "raise SystemExit(9)\n"})
    script = (
        "import sys, json\n"
        "from sparring.cli import run\n"
        "code = run(['plugins', 'list', '--json', '-'])\n"
        "ours = ('sparring_plugins', 'sparring_games', 'never_imported', 'numba', 'torch', 'pyspiel', 'matplotlib')\n"
        "print(json.dumps([code, [name for name in sys.modules if name.startswith(ours)]]), file=sys.stderr)\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(found.stderr) == [0, []]
    rows = json.loads(found.stdout)
    assert {"kind": "oracle", "name": "mine", "distribution": "acme-attacks", "version": "1.2.3"} in rows
    assert {(row["kind"], row["name"]) for row in rows} >= {("oracle", "exact"), ("solver", "lp"), ("game", "matrix")}
