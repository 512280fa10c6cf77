"""What the code of a module's own classes can see beside tensors and parts, so that no change of it is missed.

A traced graph has the numbers baked in that a forward pass finds in globals, closures, defaults, classes, containers.
It is kept as long as the very same things stand there, of kinds that nothing changes in place. Where the code can see
anything else, such as an array or an object of some class, a graph is made anew for each bound.
"""

from __future__ import annotations

import dis
import enum
import operator
import types
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from sparring_plugins.propagation.chains import is_layer

__all__ = ["Reach"]

FIXED = (
    type(None), bool, int, float, complex, str, bytes, range, type(...), enum.Enum, torch.dtype, torch.device,
    torch.memory_format, torch.layout, types.BuiltinFunctionType, types.MethodDescriptorType,
    types.WrapperDescriptorType, types.GetSetDescriptorType, types.MemberDescriptorType, types.GenericAlias,
    types.UnionType,
)  # fmt: skip
"""Types of what nothing changes in place."""
PLAIN = frozenset({
    "torch", "math", "cmath", "operator", "builtins", "typing", "types", "collections", "functools", "itertools", "abc",
    "enum", "numbers", "numpy", "__future__", "warnings",
})  # fmt: skip
"""Packages whose functions look at nothing that a user changes."""
PEEPING = frozenset(
    {"globals", "locals", "vars", "eval", "exec", "open", "input", "compile", "__import__", "dir", "id"}
)
"""Functions of Python that see more than their arguments."""
START = ("forward", "__call__", "__getattr__", "__getattribute__")
NEVER = frozenset(
    {"__init__", "__dict__", "__weakref__", "__doc__", "__module__", "__annotations__", "__firstlineno__"}
)
OWN = frozenset(nn.Module().__dict__)
"""Attributes that every module has."""
NAMED = ("linear", "relu", "leaky_relu", "tanh", "sigmoid", "softmax", "conv1d", "conv2d", "layer_norm", "batch_norm")
"""Functions that layers of torch look up when they are called."""


class Reach:
    """What parts with code of their own can see: places that are watched, and whether that is all there is."""

    def __init__(self, parts: Iterable[nn.Module]) -> None:
        self.closed = True
        """Whether nothing is seen that could change unseen."""
        self.tables = list[Any]()
        """Containers inside of containers among attributes, for whoever watches the outer ones."""
        self._places: list[tuple[Any, str]] = [(nn.functional.__dict__, name) for name in NAMED]
        self._cells, self._met = list[types.CellType](), dict[Any, Any]()
        for part in parts:
            kind: Any = type(part)
            if self._is_new(kind):
                self._places.append((kind.__dict__, "forward"))
            if not is_layer(part) and kind is not nn.Sequential:
                self._class(kind, START)
                for name, value in part.__dict__.items():
                    if name not in OWN and not isinstance(value, Tensor):
                        self._attribute(value, False)
        self._looks = [(table.get, name) for table, name in self._places]
        self._then = self._now()

    def holds(self) -> bool:
        """Whether the very same things stand where they stood."""
        return all(map(operator.is_, self._now(), self._then))

    def _now(self) -> list[Any]:
        return [look(name) for look, name in self._looks] + [_content(cell) for cell in self._cells]

    def _attribute(self, value: Any, inside: bool) -> None:
        """What a part has beside tensors, or what is inside of one of its containers."""
        if isinstance(value, dict | list):
            if inside and self._is_new(value):
                self.tables.append(value)
            elif inside:
                return
            for inner in value.values() if isinstance(value, dict) else value:
                self._attribute(inner, True)
        elif type(value) is tuple:
            for inner in value:
                self._attribute(inner, True)
        else:
            self._value(value)

    def _value(self, value: Any) -> None:
        """Anything else; what is neither fixed nor can be looked through may change unseen."""
        if isinstance(value, FIXED) or type(value).__module__ == "typing" or not self._is_new(value):
            return
        if isinstance(value, types.ModuleType):
            self.closed &= value.__name__.partition(".")[0] in PLAIN
        elif isinstance(value, types.FunctionType):
            self._function(value)
        elif isinstance(value, type):
            if not issubclass(value, BaseException) and not _is_plain(value):
                self._class(value, list(value.__dict__))
        elif isinstance(value, staticmethod | classmethod):
            self._value(value.__func__)
        elif type(value) is property:
            self._value(value.fget)
        elif type(value) is tuple or type(value) is frozenset:
            for inner in value:
                self._value(inner)
        elif not (isinstance(value, nn.Module) and is_layer(value) and not list(value.parameters())):
            self.closed = False

    def _is_new(self, value: Any) -> bool:
        """Whether it was not met before; what was is kept, so that nothing else gets its number."""
        known = id(value) in self._met
        self._met[id(value)] = value
        return not known

    def _class(self, kind: Any, names: Iterable[str]) -> None:
        """A class, as far as code looks that is called by these names."""
        tables = [base.__dict__ for base in kind.__mro__ if not _is_plain(base)]
        wanted, met = list(names), set(NEVER)
        for name in wanted:
            if name in met or (kind, name) in self._met:
                continue
            met.add(name)
            self._met[kind, name] = None
            # Where there is no such attribute yet there may come to be one.
            self._places += [(table, name) for table in tables]
            for value in [table[name] for table in tables if name in table]:
                self._value(value)
                said = _said_by(value)
                wanted += said
                if "getattr" in said:
                    wanted += [name for table in tables for name in table if not name.startswith("__")]

    def _function(self, function: types.FunctionType) -> None:
        if _is_plain(function):
            return
        seen, packages = _looks(function.__code__)
        self.closed &= not seen & PEEPING and all(name.partition(".")[0] in PLAIN for name in packages)
        self._value(function.__defaults__ or ())
        self._value(tuple((function.__kwdefaults__ or {}).values()))
        for name in seen:
            self._places.append((function.__globals__, name))
            self._value(function.__globals__.get(name))
        for cell in function.__closure__ or ():
            self._cells.append(cell)
            self._value(_content(cell))


def _content(cell: types.CellType) -> Any:
    """What a closure has by a name, None where that has no value yet, or no more."""
    try:
        return cell.cell_contents
    except ValueError:
        return None


def _is_plain(value: Any) -> bool:
    """Whether a class or a function is one of torch or of Python."""
    return str(value.__module__).partition(".")[0] in PLAIN


def _said_by(value: Any) -> tuple[str, ...]:
    """All names and words in the code of an attribute of a class."""
    for inner in ("fget", "__func__"):
        value = getattr(value, inner, value)
    return _words(value.__code__) if isinstance(value, types.FunctionType) else ()


@lru_cache(maxsize=1024)
def _words(code: types.CodeType) -> tuple[str, ...]:
    inner = [word for part in code.co_consts if isinstance(part, types.CodeType) for word in _words(part)]
    return (*code.co_names, *(word for word in code.co_consts if isinstance(word, str)), *inner)


@lru_cache(maxsize=1024)
def _looks(code: types.CodeType) -> tuple[frozenset[str], frozenset[str]]:
    """Names of globals, and of what is imported, in a function and in those inside of it."""
    found, packages = set[str](), set[str]()
    for one in dis.get_instructions(code):
        if one.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            found.add(one.argval)
        elif one.opname == "IMPORT_NAME":
            packages.add(one.argval)
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            inner = _looks(part)
            found |= inner[0]
            packages |= inner[1]
    return frozenset(found), frozenset(packages)
