"""`sparring plugins new`: a package of every kind passes its own tests unedited, and nothing is ever overwritten."""

from __future__ import annotations

import itertools
import os
import shlex
import subprocess
import sys
import tomllib

import pytest
import yaml

from sparring.cli import run, scaffolding
from sparring.errors import RequestError
from sparring.hookspecs import HOOKS
from sparring.kinds import BASES
from sparring.registry import Registry
from unpacked import lay_out, run_own_tests

COUNT = itertools.count()
FILES = {
    ".github/workflows/tests.yml",
    ".gitignore",
    "README.md",
    "pyproject.toml",
    "tests/test_conformance.py",
}


@pytest.fixture
def call(capsys, tmp_path, monkeypatch):
    """Runs a command line in this process, in an empty folder; returns exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def calling(line):
        code = run(shlex.split(line))
        return code, *capsys.readouterr()

    return calling


def everything(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", HOOKS)
def test_every_kind_passes_its_own_tests_unedited(kind, tmp_path):
    package = scaffolding.write_package(kind, "my-own-thing", tmp_path)
    before = everything(package)
    site = tmp_path / "site"
    lay_out(package, site)
    said = run_own_tests(package, site)
    assert " passed" in said
    assert everything(package) == before


@pytest.mark.parametrize("kind", HOOKS)
def test_every_kind_loads_through_the_registry(kind, tmp_path, monkeypatch):
    name = f"made-{next(COUNT)}"  # modules of one name would be imported once for all tests
    package = scaffolding.write_package(kind, name, tmp_path)
    lay_out(package, tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    registry = Registry()
    entry = registry.find(kind, name)
    assert (entry.distribution, entry.version) == (f"sparring-{name}", "0.1.0")
    plugin = registry.load(entry)
    assert issubclass(plugin, BASES[kind])
    assert plugin.summary
    assert registry.load(registry.find(kind, name)).configured({}).options == plugin.Options()


@pytest.mark.parametrize("kind", HOOKS)
def test_a_package_is_complete_and_says_what_it_is(kind, tmp_path):
    package = scaffolding.write_package(kind, "two-words", tmp_path)
    module = "src/sparring_two_words"
    assert set(everything(package)) == FILES | {f"{module}/__init__.py", f"{module}/py.typed"}
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["sparring"] == {f"{kind}.two-words": "sparring_two_words"}
    assert project["name"] == "sparring-two-words"
    jobs = yaml.safe_load((package / ".github/workflows/tests.yml").read_text())["jobs"]
    assert {"run": "pytest"} in jobs["tests"]["steps"]
    for text in everything(package).values():
        for leftover in (b"TemplateName", b"template-name", b"template_name", b"$kind", b"$name", b"$module"):
            assert leftover not in text
    test = (package / "tests/test_conformance.py").read_text()
    assert f'test_conformance = conformance("{kind}", "two-words")' in test


@pytest.mark.parametrize("kind", HOOKS)
@pytest.mark.parametrize("name", ["a", "two-words", "a-name-that-is-so-long-that-lines-must-be-broken"])
def test_a_package_is_clean_by_its_own_rules(kind, name, tmp_path):
    package = scaffolding.write_package(kind, name, tmp_path)
    for rules in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *rules, "."], cwd=package, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", HOOKS)
def test_the_command_in_its_readme_works(kind, call, tmp_path):
    package = scaffolding.write_package(kind, f"shown-{kind}", tmp_path)
    shown = [line for line in (package / "README.md").read_text().splitlines() if line.startswith("sparring ")][-1]
    code, out, err = call(f"--plugin {package}/src/{package.name.replace('-', '_')}/__init__.py {shown[9:]}")
    assert (code, err) == (0, "")
    assert out
    assert f"shown-{kind}" in shown or kind == "bound-backend"  # which no exact form has a use for


def test_the_command_says_where_and_what_next(call, tmp_path):
    code, out, err = call("plugins new threat-model flicker --out deep/down")
    assert (code, err) == (0, "")
    assert (tmp_path / "deep/down/sparring-flicker/pyproject.toml").is_file()
    assert "sparring plugins check threat-model.flicker" in out
    assert (tmp_path / "deep/down/sparring-flicker").stat().st_mode & 0o777 == 0o777 & ~current_umask()


def current_umask():
    umask = os.umask(0)
    os.umask(umask)
    return umask


@pytest.mark.parametrize("there", ["folder", "file", "dangling link"])
def test_nothing_is_overwritten(call, tmp_path, there):
    place = tmp_path / "sparring-flicker"
    if there == "folder":
        place.mkdir()
        (place / "kept.txt").write_text("mine")
    elif there == "file":
        place.write_text("mine")
    else:
        place.symlink_to("nowhere")
    before = everything(tmp_path), os.listdir(tmp_path)
    code, out, err = call("plugins new metric flicker")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "sparring-flicker exists and stays as it is" in err
    assert (everything(tmp_path), os.listdir(tmp_path)) == before


def test_no_half_written_folder_is_left(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.rename", fail)
    with pytest.raises(RequestError, match=r"cannot write .*sparring-flicker: No space left on device"):
        scaffolding.write_package("metric", "flicker", tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("threat-modl flicker", "there is no kind 'threat-modl'; did you mean 'threat-model'?"),
        ("attack flicker", "there is no kind 'attack'; choose from: bound-backend, game, metric, oracle, "),
        ("oracle exact", "sparring 0.1.0 has oracle 'exact' already; how about 'my-exact'?"),
        ("oracle MyOracle", "did you mean 'my-oracle'?"),
        ("oracle 'My  oracle!'", "did you mean 'my-oracle'?"),
        ("oracle 2fast", "did you mean 'fast'?"),
        ("oracle ../up", "did you mean 'up'?"),
        ("oracle a--b", "did you mean 'a-b'?"),
        ("oracle 42", "expected lower-case words and hyphens; for example 'noisy-channel'"),
        ("oracle ''", "for example 'noisy-channel'"),
        ("oracle plugins", "a package sparring_plugins is installed already; how about 'my-plugins'?"),
        ("oracle fine --out a-file", "--out a-file: File exists"),
        ("oracle", "Missing argument 'NAME'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(call, tmp_path, line, words):
    (tmp_path / "a-file").write_text("")
    code, out, err = call(f"plugins new {line}")
    assert (code, out) == (2, "")
    assert err.startswith("sparring: ")
    assert err.count("\n") == 1
    assert words in err
    assert os.listdir(tmp_path) == ["a-file"]


@pytest.mark.parametrize("name", ["none", "oracle", "policy", "game", "class", "finding", "a1-b2"])
def test_names_that_python_uses_otherwise_are_no_trouble(name, tmp_path, monkeypatch):
    package = scaffolding.write_package("oracle", name, tmp_path)
    lay_out(package, tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    registry = Registry()
    assert registry.load(registry.find("oracle", name)).name == name
