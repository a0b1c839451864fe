"""Let stubs import types of the user, where these are the same as those of the service.

The same types have the same kind, fields or members, and code: the parts that a contract covers.
The user's class may have another docstring, other methods, and other values of defaults.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

import attrs
from msgspec.structs import replace

from farcall._contract.definitions import Definitions
from farcall._contract.describe import describe
from farcall._contract.digest import canonical_form, definition_form
from farcall._contract.forms import Form
from farcall._contract.labels import spelled
from farcall._contract.spec import (
    Definition,
    EnumSpec,
    NewTypeSpec,
    RecordKind,
    RecordSpec,
    UnsupportedType,
)
from farcall._declare import hints_of
from farcall.stubgen._errors import StubError
from farcall.stubgen._sharing import Stub

_logger = logging.getLogger("farcall")


def with_imported_types(stubs: Sequence[Stub], modules: Sequence[ModuleType]) -> list[Stub]:
    """Let stubs import types from modules of the user. Types that differ are logged.

    Raises:
        StubError: A module has none of the types.
    """
    names = {each.name for stub in stubs for each in stub.spec.definitions}
    for module in modules:
        if names.isdisjoint(vars(module)):
            services = " and ".join(each.service for each in stubs)
            raise StubError(
                f"{module.__name__} has no type of {services}: name a module that has one, or leave"
                f" --types {module.__name__} out"
            )
    return [_with_imported_types(each, modules) for each in stubs]


def _with_imported_types(stub: Stub, modules: Sequence[ModuleType]) -> Stub:
    comparison = _Comparison({each.name: each for each in stub.spec.definitions}, modules)
    for name in comparison.theirs:
        module = next((each for each in modules if name in vars(each)), None)
        if module is not None:
            try:
                comparison.add(name, vars(module)[name])
            except UnsupportedType as fault:
                path = f"{module.__name__}.{name}"
                problem = f"{fault.path}: {fault.problem}" if fault.path else fault.problem
                _logger.warning(
                    "the stub of %s does not import %s, which differs: %s",
                    *(stub.service, path, problem),
                )
    spec = replace(stub.spec, definitions=comparison.definitions)
    return attrs.evolve(stub, spec=spec, origins=comparison.origins)


@attrs.frozen
class _Comparison:
    """The types of one service, and those of the user that are the same."""

    theirs: Mapping[str, Definition]
    """The types of the service."""
    modules: Sequence[ModuleType]
    mine: Definitions = attrs.field(factory=lambda: Definitions(hints_of))
    """The types of the user."""
    origins: dict[str, str] = attrs.field(factory=dict[str, str])
    """The module of each type of the user."""

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """The types that the stub defines or imports."""
        return tuple(
            self.mine[name] if name in self.origins else each for name, each in self.theirs.items()
        )

    def add(self, name: str, cls: Any) -> None:
        """Import a class, with the classes in its fields.

        Raises:
            UnsupportedType: One of them is not the same as that of the service.
        """
        parameters = getattr(cls, "__parameters__", ())
        with self.mine.undone_on_failure():
            before = set(self.mine)
            describe(cls[(Any,) * len(parameters)] if parameters else cls, self.mine)
            if self.mine.claimed(name) is not cls:
                raise UnsupportedType(f"{name} is no record, error, enum or NewType", "")
            added = set(self.mine) - before
            for each in sorted(added):
                self._check(each)
            self.origins.update({each: self._origin(each) for each in added})

    def _check(self, name: str) -> None:
        theirs = self.theirs.get(name)
        if theirs is None:
            raise UnsupportedType(f"the service has no {name}", "")
        if definition_form(theirs) != definition_form(self.mine[name]):
            raise UnsupportedType("; ".join(_differences(theirs, self.mine[name])), "")

    def _origin(self, name: str) -> str:
        """Return the module from which a class can be imported.

        Type checkers do not let a module pass on what it imports, unless it is in `__all__`.
        """
        cls = self.mine.class_of(name)
        exporting = [each for each in self.modules if name in getattr(each, "__all__", ())]
        own = sys.modules.get(cls.__module__)
        for module in [*exporting, own, *self.modules]:
            if module is not None and vars(module).get(name) is cls:
                return module.__name__
        raise UnsupportedType(f"{cls.__module__} has no {name} that can be imported", "")


def _differences(theirs: Definition, mine: Definition) -> Iterator[str]:
    """Say how a type of the user differs from that of the service."""
    expected, got = _parts(theirs), _parts(mine)
    for path in sorted(expected.keys() | got.keys()):
        if path not in got:
            yield f"{path} is missing"
        elif path not in expected:
            yield f"{path} is not in the service"
        elif got[path][0] != expected[path][0]:
            yield f"{path} is {got[path][1]}, not {expected[path][1]}"


def _parts(spec: Definition) -> Mapping[str, tuple[Form, str]]:
    """Return the parts of a type by their path: each as a form to compare, and in words."""
    match spec:
        case NewTypeSpec(name, target):
            return {name: (canonical_form(target), f"a new {spelled(target)}")}
        case EnumSpec(name, base):
            members = {f"{name}.{member}": (value, repr(value)) for member, value in spec.members}
            return {name: (base, f"an {base}"), **members}
        case RecordSpec(name, kind):
            generic = f"[{', '.join(spec.parameters)}]" if spec.parameters else ""
            parts: dict[str, tuple[Form, str]] = {
                name: (kind + generic, f"{_KINDS[kind]}{generic}")
            }
            if spec.code is not None:
                parts[f"{name}.code"] = spec.code, str(spec.code)
            for field in spec.fields:
                form: Form = [canonical_form(field.type), field.default is None]
                presence = "" if field.default is None else " with a default"
                parts[f"{name}.{field.name}"] = form, f"{spelled(field.type)}{presence}"
            return parts


_KINDS: Mapping[RecordKind, str] = {
    "attrs": "an attrs class",
    "dataclass": "a dataclass",
    "typeddict": "a TypedDict",
    "namedtuple": "a NamedTuple",
    "error": "an ApplicationError",
}
