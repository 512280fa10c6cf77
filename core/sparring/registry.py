"""Finds plugins by entry point, loads one when it is first asked for, and names whatever is wrong with it."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pluggy

from sparring import hookspecs
from sparring.errors import RequestError, SparringError, nearest
from sparring.hookspecs import HOOKS
from sparring.specs import Spec, parse
from sparring.taking_part import note

if TYPE_CHECKING:
    from sparring.game import Game
    from sparring.plugin import Plugin
    from sparring.source import GameSource

__all__ = [
    "DOCUMENT",
    "DOCUMENTS",
    "LEARNER",
    "LEARNERS",
    "Entry",
    "PluginError",
    "Registry",
    "default_registry",
    "installed_entries",
    "installed_learners",
]

GROUP = "sparring"
LEARNERS = "sparring.learners"
"""Entry points of learners, by name; each leads to a callable that makes one from its options."""
LEARNER = "learner"
"""The kind that learners are listed as; they are no plugins with a hook of their own."""
DOCUMENTS = "sparring.documents"
"""Entry points by kind of document; each leads to a callable that makes a policy of one."""
DOCUMENT = "document"
DISABLE = "SPARRING_DISABLE"
FAMILIES = ("game", "policy-loader")
"""Kinds whose name stands before the colon of a spec, where other kinds may name a distribution."""


class PluginError(SparringError):
    """A plugin is broken; the line names plugin, distribution, version, module and hook, and the remedy."""


@dataclass(frozen=True)
class Entry:
    """One plugin as its distribution announces it; nothing of it is imported yet."""

    kind: str
    name: str
    distribution: str
    version: str
    point: EntryPoint
    file: Path | None = None
    """The single file it was read from; None for what a distribution announces."""
    sha256: str | None = None
    """Hash of that file as it was run."""

    @property
    def label(self) -> str:
        """Who this is, for messages."""
        where = self.point.value if self.file is None else self.file
        return f"{self.kind} {self.name!r} of {self.distribution} {self.version} ({where})"

    @property
    def handles(self) -> frozenset[str]:
        """What SPARRING_DISABLE may call it: `name`, `kind.name`, or either after `distribution:`."""
        short = {self.name, f"{self.kind}.{self.name}"}
        return frozenset(short | {f"{self.distribution}:{handle}" for handle in short})

    def fault(self, what: str, remedy: str = "") -> PluginError:
        """The error for something wrong with it: who, which hook, what, and what to do about it."""
        hook = f", hook {HOOKS[self.kind]}()" if self.kind in HOOKS else ""
        switch = f"{DISABLE}={self.distribution}:{self.kind}.{self.name}"
        usual = f"repair or upgrade {self.distribution}, or set {switch}" if self.file is None else "repair the file"
        return PluginError(f"{self.label}{hook}: {what}; {remedy or usual}")


def installed_entries() -> list[Entry]:
    """All announced plugins, without importing any."""
    found = [_entry(*point.name.partition(".")[::2], point) for point in entry_points(group=GROUP)]
    return sorted(found, key=_order)


def installed_learners() -> list[Entry]:
    """All announced learners, without importing any."""
    return sorted([_entry(LEARNER, point.name, point) for point in entry_points(group=LEARNERS)], key=_order)


def installed_documents() -> list[Entry]:
    """All kinds of documents that are announced, without importing anything."""
    return sorted([_entry(DOCUMENT, point.name, point) for point in entry_points(group=DOCUMENTS)], key=_order)


def _entry(kind: str, name: str, point: EntryPoint) -> Entry:
    distribution = point.dist
    label, version = (distribution.name, distribution.version) if distribution else ("unknown", "unknown")
    return Entry(kind, name, label, version, point)


def _order(entry: Entry) -> tuple[int, str, str]:
    """By kind as in `HOOKS`, then by name; those of an unknown kind come last."""
    kinds = list(HOOKS)
    return (kinds.index(entry.kind) if entry.kind in kinds else len(kinds), entry.name, entry.distribution)


def disabled_names() -> frozenset[str]:
    """Names that the environment variable SPARRING_DISABLE switches off."""
    return frozenset(name.strip() for name in os.environ.get(DISABLE, "").split(",") if name.strip())


@dataclass
class Registry:
    """Plugins by kind and name."""

    entries: list[Entry] = field(default_factory=installed_entries)
    disabled: frozenset[str] = field(default_factory=disabled_names)
    learners: list[Entry] = field(default_factory=installed_learners)
    documents: list[Entry] = field(default_factory=installed_documents)

    def __post_init__(self) -> None:
        self._manager = pluggy.PluginManager("sparring")
        self._manager.add_hookspecs(hookspecs)
        self._classes: dict[tuple[str, str, str], type[Plugin]] = {}
        self.switched_off: list[Entry] = []
        """Announced plugins that `disabled` names."""
        announced = [*self.entries, *self.learners, *self.documents]
        self.entries, self.learners, self.documents = [], [], []
        self._announce(announced)

    def _announce(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            (self.switched_off if entry.handles & self.disabled else self._of(entry.kind)).append(entry)

    def _of(self, kind: str) -> list[Entry]:
        """Where entries of a kind are kept."""
        return {LEARNER: self.learners, DOCUMENT: self.documents}.get(kind, self.entries)

    def add_file(self, path: Path) -> list[Entry]:
        """Take in what a single Python file announces; the file is run: naming it is the user's consent.

        They are asked for by name like any other, or as `my_threat.py:name` where somebody else has the name too.

        Returns:
            What the file offers, switched off or not.

        Raises:
            RequestError: there is no such file, it is no Python file, or another one of its name is here already.
            PluginError: it cannot be run, or offers no plugin; the registry stays as it was.
        """
        from sparring.plugin_files import read_plugin_file

        every = (*self.entries, *self.learners, *self.documents, *self.switched_off)
        here = [entry for entry in every if entry.distribution == path.name]
        if any(entry.file != path.resolve() for entry in here):
            raise RequestError(
                f"--plugin {path}: there is another {path.name}, which names plugins; rename one of them"
            )
        found = here or read_plugin_file(path)
        self._announce([] if here else found)
        self.entries.sort(key=_order)
        return found

    @contextmanager
    def in_use(self) -> Iterator[Registry]:
        """Be what `default_registry` gives while the block runs, to plugins that ask for others as well."""
        token = _IN_USE.set(self)
        try:
            yield self
        finally:
            _IN_USE.reset(token)

    def names(self, kind: str) -> list[str]:
        """Names of one kind, sorted; two plugins with one name appear once."""
        return sorted({entry.name for entry in self._of(kind) if entry.kind == kind})

    def find(self, kind: str, name: str, distribution: str | None = None) -> Entry:
        """The announced plugin of that kind and name.

        Raises:
            RequestError: there is none, or there are two and `distribution` picks none of them.
        """
        matching = [entry for entry in self._of(kind) if entry.kind == kind and entry.name == name]
        chosen = [entry for entry in matching if distribution in (None, entry.distribution)]
        if not matching:
            raise RequestError(f"unknown {kind} {name!r}: {nearest(name, self.names(kind))}")
        if not chosen:
            raise RequestError(f"{kind} {name!r} is not of {distribution!r}, but of {matching[0].distribution!r}")
        if len(chosen) > 1:
            told = f"{kind} {name!r} is announced by {len(chosen)} distributions"
            if kind in FAMILIES:
                switch = " or ".join(f"{DISABLE}={entry.distribution}:{kind}.{name}" for entry in chosen)
                raise RequestError(f"{told}: switch one off with {switch}")
            pick = " or ".join(f"'{entry.distribution}:{name}'" for entry in chosen)
            raise RequestError(f"{told}: say {pick}")
        return chosen[0]

    def load(self, entry: Entry) -> type[Plugin]:
        """Import one plugin and return its class.

        Raises:
            PluginError: it cannot be imported, misspells a hook, or returns the wrong thing.
        """
        key = (entry.kind, entry.name, entry.distribution)
        if key not in self._classes:
            self._classes[key] = self._checked(entry, self._offered(entry))
        return self._classes[key]

    def create(self, kind: str, text: str) -> Plugin:
        """Make a plugin from a spec such as `pgd(steps=20)` or `distribution:name`.

        Raises:
            RequestError: no such plugin, or an option it does not have.
        """
        spec = parse(text)
        entry = self.find(kind, spec.name, spec.family)
        made = self.load(entry).configured(dict(spec.options))
        made.announced = f"{entry.distribution}:{entry.name}"
        note(kind, made.announced)
        return made

    def load_game(self, text: str) -> Game:
        """Make a game from a spec: `family:name(options)`, or a bare name that one family knows.

        Raises:
            RequestError: no such family or game, or several families know the bare name.
        """
        from sparring.game_options import load_from
        from sparring.source import GameSource

        spec = parse(text)
        if spec.family is not None:
            source = self.load(self.find("game", spec.family)).configured({})
            assert isinstance(source, GameSource)
        else:
            source = self._bare(spec)
        game = load_from(source, spec.name, spec.options)
        object.__setattr__(game, "family", source.name)  # games are frozen once they are handed out
        return game

    def _bare(self, spec: Spec) -> GameSource:
        from sparring.source import GameSource

        if spec.name in self.names("game"):
            source = self.load(self.find("game", spec.name)).configured({})
            assert isinstance(source, GameSource)
            return source
        sources, known, broken = [], set(self.names("game")), []
        for entry in self.entries:
            if entry.kind == "game":
                try:
                    source = self.load(entry).configured({})
                except PluginError as error:  # breaks only what needs it: another family may know the name
                    broken.append(error)
                    continue
                assert isinstance(source, GameSource)
                known |= set(source.bare) | {f"{entry.name}:{name}" for name in source.catalogue()}
                if spec.name in source.bare:
                    sources.append((entry.name, source))
        if not sources:
            unsearched = "".join(f"; not searched: {error}" for error in broken)
            raise RequestError(f"unknown game {spec.name!r}: {nearest(spec.name, known)}{unsearched}")
        if len(sources) > 1:
            pick = " or ".join(f"'{family}:{spec.name}'" for family, _ in sources)
            raise RequestError(f"game {spec.name!r} is in {len(sources)} families: say {pick}")
        return sources[0][1]

    def _offered(self, entry: Entry) -> Iterable[object]:
        """What the plugin's hook gives."""
        if entry.kind not in HOOKS:
            raise entry.fault(f"there is no kind {entry.kind!r}", nearest(entry.kind, HOOKS))
        try:
            module = entry.point.load()
        except Exception as error:
            raise entry.fault(f"its import fails with {type(error).__name__}: {error}") from error
        self._register(entry, module)
        hook = HOOKS[entry.kind]
        others = [plugin for plugin in self._manager.get_plugins() if plugin is not module]
        caller = self._manager.subset_hook_caller(hook, others)
        if not caller.get_hookimpls():
            raise entry.fault(f"the module does not implement the hook; expected @hookimpl def {hook}()")
        try:
            results = caller()
        except Exception as error:
            raise entry.fault(f"the hook fails with {type(error).__name__}: {error}") from error
        offered = results[0] if results else None  # pluggy leaves out what is None
        if isinstance(offered, str) or not isinstance(offered, Iterable):
            raise entry.fault(f"it returned {offered!r}, expected a list of classes")
        return offered

    def _register(self, entry: Entry, module: ModuleType) -> None:
        """Register the module once; a failed one leaves nothing behind."""
        if self._manager.is_registered(module):
            return
        try:
            self._manager.register(module, name=entry.point.value)
            self._manager.check_pending()
        except Exception as error:
            if self._manager.is_registered(module):
                self._manager.unregister(module)
            meant = nearest(_first_hook(module), HOOKS.values())
            raise entry.fault(f"a hook does not fit: {' '.join(str(error).split())}; {meant}") from error

    def _checked(self, entry: Entry, offered: Iterable[object]) -> type[Plugin]:
        """The class of the announced name, once it is seen to be what it says."""
        from sparring.kinds import BASES
        from sparring.plugin import INTERFACE, OLDEST_INTERFACE

        base = BASES[entry.kind]
        named: Mapping[str, type[Plugin]] = {}
        for thing in offered:
            if not isinstance(thing, type) or not issubclass(thing, base):
                raise entry.fault(f"it offers {thing!r}, expected subclasses of {base.__name__}")
            named = {**named, getattr(thing, "name", ""): thing}
        if entry.name not in named:
            raise entry.fault(f"it offers no {entry.name!r}; {nearest(entry.name, named)}")
        found = named[entry.name]
        if found.interface > INTERFACE:
            asked = f"needs plugin interface {found.interface}, this Sparring has {INTERFACE}"
            raise entry.fault(asked, f"upgrade sparring, or install an older {entry.distribution}")
        if found.interface < OLDEST_INTERFACE:
            asked = f"is written for plugin interface {found.interface}, this Sparring has {OLDEST_INTERFACE} or later"
            raise entry.fault(asked, f"upgrade {entry.distribution}, or install an older sparring")
        missing = sorted({*found.__abstractmethods__, *_undeclared(found, base)})
        if missing:
            raise entry.fault(f"{found.__name__} does not define {', '.join(missing)}")
        if found.interface < INTERFACE:
            outlook = f"written for plugin interface {found.interface}; it works now, and not after {INTERFACE}"
            warnings.warn(f"{entry.label}: {outlook}", DeprecationWarning, stacklevel=2)
        return found


def _undeclared(plugin: type[Plugin], base: type[Plugin]) -> list[str]:
    """Attributes that the base class names without giving them a value, and the plugin does not give either."""
    named = [name for part in base.__mro__ for name in inspect.get_annotations(part)]
    return [name for name in named if not hasattr(plugin, name)]


def _first_hook(module: ModuleType) -> str:
    """The first hook-like name that is no hook of ours."""
    marked = [name for name in vars(module) if name.startswith("sparring_") and name not in HOOKS.values()]
    return marked[0] if marked else "sparring_"


_IN_USE: ContextVar[Registry | None] = ContextVar("registry in use", default=None)


def default_registry() -> Registry:
    """The registry in use, or else that of the installed plugins, made when first needed."""
    chosen = _IN_USE.get()
    return _installed() if chosen is None else chosen


@cache
def _installed() -> Registry:
    return Registry()
