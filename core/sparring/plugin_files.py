"""Plugins tried from a single file, without packaging: the file is run, because its user named it."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib.machinery import SourceFileLoader
from importlib.metadata import EntryPoint
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

from sparring.errors import RequestError, nearest
from sparring.hookspecs import HOOKS
from sparring.registry import DOCUMENT, DOCUMENTS, LEARNER, LEARNERS, Entry, PluginError

__all__ = ["UNPACKAGED", "read_plugin_file"]

GROUPS = {LEARNER: LEARNERS, DOCUMENT: DOCUMENTS}
UNPACKAGED = "unpackaged"
"""What stands for the version of a plugin that comes from a file; its hash says the rest."""


def read_plugin_file(path: Path) -> list[Entry]:
    """Run a Python file and list the plugins that its hooks give, as if a distribution of that name announced them.

    Raises:
        RequestError: there is no such file, or it is no Python file.
        PluginError: it cannot be run, or offers no plugin; the line names the file and the remedy.
    """
    if path.suffix != ".py":
        raise RequestError(f"--plugin {path}: expected a Python file, such as my_threat.py")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RequestError(f"--plugin {path}: {error.strerror}") from error
    digest = hashlib.sha256(content).hexdigest()
    module = _module(path.resolve(), digest)
    entries = [
        _entry(kind, name, module, path, digest) for kind, hook in HOOKS.items() for name in _given(path, module, hook)
    ]
    entries += _mapped(path, module, digest, "sparring_learners", LEARNER)
    documents = _mapped(path, module, digest, "sparring_documents", DOCUMENT)
    if not entries:
        raise _fault(path, "it offers no plugin", _missing_hook(module))
    return [*entries, *documents]


def _entry(kind: str, name: str, module: ModuleType, path: Path, digest: str) -> Entry:
    point = EntryPoint(f"{kind}.{name}", module.__name__, "sparring")
    return Entry(kind, name, path.name, UNPACKAGED, point, path.resolve(), digest)


def _mapped(path: Path, module: ModuleType, digest: str, mapping: str, kind: str) -> list[Entry]:
    """What the file names in a mapping from names to its own functions, classes, or methods of classes."""
    named = getattr(module, mapping, {})
    if not isinstance(named, Mapping):
        raise _fault(path, f"{mapping} is {named!r}, expected a mapping from names to callables")
    entries = []
    for name, make in named.items():
        place = getattr(make, "__qualname__", "")
        if not callable(make) or _at(module, place) != make:
            raise _fault(path, f"{mapping} names {name!r}: {make!r} is no function or class at the top of it")
        point = EntryPoint(str(name), f"{module.__name__}:{place}", GROUPS[kind])
        entries.append(Entry(kind, str(name), path.name, UNPACKAGED, point, path.resolve(), digest))
    return entries


def _at(module: ModuleType, place: str) -> object:
    """What lies in a module under a dotted name; None if nothing does."""
    found: object = module
    for part in place.split("."):
        found = getattr(found, part, None)
    return found


class _Fresh(SourceFileLoader):
    """Leaves no bytecode beside the user's file, and never takes an old one for it."""

    def get_code(self, fullname: str) -> CodeType:
        """Compile what the file holds now."""
        return self.source_to_code(self.get_data(self.path), self.path)


def _module(path: Path, digest: str) -> ModuleType:
    """Run the file once for each content, under a name that nothing else has, so that its classes can be pickled."""
    place = hashlib.sha256(f"{path}\0{digest}".encode()).hexdigest()[:12]
    name = f"sparring_file_{path.stem}_{place}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, path, loader=_Fresh(name, str(path)))
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise _fault(path, f"running it fails with {type(error).__name__}: {error}{_line_of(error, path)}") from error
    return module


def _given(path: Path, module: ModuleType, hook: str) -> list[str]:
    """Names of the plugins that one hook of the module gives; none if the module does not have that hook."""
    function: Callable[[], object] | None = getattr(module, hook, None)
    if function is None or not hasattr(function, "sparring_impl"):  # the mark that @hookimpl leaves
        return []
    try:
        offered = function()
    except Exception as error:
        raise _fault(path, f"hook {hook}() fails with {type(error).__name__}: {error}") from error
    if isinstance(offered, str) or not isinstance(offered, Iterable):
        raise _fault(path, f"hook {hook}() returned {offered!r}, expected a list of classes")
    names = [getattr(thing, "name", None) for thing in offered]
    if not all(isinstance(name, str) for name in names):
        raise _fault(path, f"hook {hook}() returned {offered!r}, expected classes that declare a name")
    return [str(name) for name in names]


def _missing_hook(module: ModuleType) -> str:
    """What was probably meant by a file without a hook."""
    hooks = [name for name in vars(module) if name.startswith("sparring_") and callable(getattr(module, name))]
    known = [name for name in hooks if name in HOOKS.values()]
    if known:
        return f"put @hookimpl before def {known[0]}(), which gives a list of classes"
    if hooks:
        return f"there is no hook {hooks[0]}(); {nearest(hooks[0], HOOKS.values())}"
    return "expected, for example, @hookimpl def sparring_threat_models() that gives a list of classes"


def _line_of(error: BaseException, path: Path) -> str:
    """Where in the file it happened."""
    if isinstance(error, SyntaxError):
        return ""  # its own message says the line
    lines, trace = [], error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return f" (line {lines[-1]})" if lines else ""


def _fault(path: Path, what: str, remedy: str = "") -> PluginError:
    return PluginError(f"plugin file {path}: {what}; {remedy or 'repair it'}")
