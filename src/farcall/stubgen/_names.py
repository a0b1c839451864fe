"""The names in a generated module, and its imports.

A service may have a record called ``Literal``, a field called ``date`` or a method called ``list``.
In a class body such a member hides the type from the annotations after it. So a name of the
service is used for nothing else: the builtin becomes ``builtins.list``, the import
``datetime.date``, and a definition that a member hides gets an alias that ends with an underscore.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from farcall._contract.scalars import SCALARS
from farcall._contract.spec import Place, RecordSpec, ServiceSpec, TypeSpec
from farcall.stubgen._aliases import aliases_of
from farcall.stubgen._layout import WIDTH, Brackets, joined, statement, width

_THIRD_PARTY = ("attrs", "farcall", "trio")


def _scalars_by_module() -> Mapping[str, tuple[str, ...]]:
    names: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
    for each in SCALARS.values():
        if each.module not in ("", *_THIRD_PARTY):
            names[each.module] += (each.python_name,)
    return names


_HOMES: Mapping[str, tuple[str, ...]] = {
    **_scalars_by_module(),
    "collections.abc": ("AsyncIterable", "AsyncIterator", "Mapping", "Sequence"),
    "contextlib": ("AbstractAsyncContextManager",),
    "dataclasses": ("dataclass", "field"),
    "enum": ("Enum", "IntEnum", "StrEnum"),
    "typing": (
        *("Annotated", "Generic", "Literal", "NamedTuple", "NewType"),
        *("NotRequired", "TypeAlias", "TypedDict", "TypeVar"),
    ),
}
"""The names of the standard library that a stub may need, by module."""


_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


class Names:
    """Choose names for one module, and remember what has to be imported.

    Args:
        spec: The service; its names have precedence.
        imported: Definitions and aliases that stand in another module, each with that module.
        aliases: The aliases that the module can use; by default those of the service.
    """

    def __init__(
        self,
        spec: ServiceSpec,
        imported: Mapping[str, str] | None = None,
        aliases: Mapping[str, TypeSpec] | None = None,
    ) -> None:
        self.definitions = {each.name: each for each in spec.definitions}
        """The definitions of the service, by name."""
        self._homes: Mapping[str, str] = {} if imported is None else imported
        defined = self.definitions.keys()
        own = [each for each in spec.definitions if not self.is_imported(each.name)]
        records = [each for each in own if isinstance(each, RecordSpec)]
        members = set(_members(spec, records))
        variables = sorted({name for record in records for name in record.parameters})
        self.type_aliases = {
            name: each
            for name, each in (aliases_of(spec) if aliases is None else aliases).items()
            # Inside of a class, the name would mean the member.
            if name not in members and name not in variables
        }
        """The types for which the module has an alias."""
        self._taken = defined | members | self.type_aliases.keys()
        self.proxy = self._proxy_name(spec)
        """The name of the generated class."""
        self._variables = {name: self._take(name) for name in variables}
        # Python renames ``__Name`` inside of a class, too.
        hidden = {name for name in defined if name in members or name.startswith("__")}
        self._aliases = {name: self._take(name.lstrip("_") or "_") for name in sorted(hidden)}
        self._modules: dict[str, str] = {}
        self._registering = set[str]()
        self._imported: dict[str, set[str]] = {}

    def is_imported(self, name: str) -> bool:
        """Say whether a definition or an alias stands in another module."""
        return name in self._homes

    def builtin(self, name: str) -> str:
        """Refer to a builtin, such as ``list``."""
        return name if self._is_free(name) else f"{self.module('builtins')}.{name}"

    def standard(self, name: str) -> str:
        """Refer to a name of the standard library, such as ``Literal``."""
        home = _HOME_OF[name]
        if not all(map(self._is_free, _HOMES[home])):
            return f"{self.module(home)}.{name}"
        self._imported.setdefault(home, set()).add(name)
        return name

    def module(self, name: str) -> str:
        """Refer to a module, such as ``attrs``."""
        if name not in self._modules:
            first, _, last = name.partition(".")
            self._modules[name] = name if self._is_free(first) else self._take(f"{last or first}_")
        return self._modules[name]

    def imported(self, place: Place) -> str:
        """Refer to a name of a module that the service uses."""
        if place.module == "builtins":
            return self.builtin(place.name)
        return f"{self.module(place.module)}.{place.name}"

    def import_only(self, module: str) -> None:
        """Import a module for what it registers."""
        self._registering.add(module)

    def type_alias(self, spec: TypeSpec) -> str | None:
        """Return the alias by which a type is written, if the module has it."""
        alias = spec.alias
        is_known = alias is not None and self.type_aliases.get(alias) == spec
        return alias if is_known else None

    def defined(self, name: str) -> str:
        """Refer to a definition of the service from inside of a class body."""
        return self._aliases.get(name, name)

    def alias(self, name: str) -> str | None:
        """Return the second name of a definition, if a member hides the first."""
        return self._aliases.get(name)

    def base(self, name: str) -> str:
        """Choose a name for a base class with a part of a record."""
        return self._take(f"_{name.lstrip('_')}Keys")

    def variable(self, name: str) -> str:
        """Refer to a type variable."""
        return self._variables[name]

    @property
    def variables(self) -> tuple[str, ...]:
        """The type variables of the module, as they are named there."""
        return tuple(sorted(self._variables.values()))

    def imports(self) -> str:
        """Write the imports of everything referred to so far, sorted as by ruff."""
        standard = sorted(filter(_is_standard, self._modules))
        others = sorted(set(self._modules) & set(_THIRD_PARTY))
        own = sorted({*self._modules} - {*standard, *others})
        from_standard = [_from_import(*each) for each in sorted(self._imported.items())]
        known = self.definitions.keys() | self.type_aliases.keys()
        homes = defaultdict[str, set[str]](set)
        for name in filter(self.is_imported, known):
            homes[self._homes[name]].add(name)
        beside = [home for home in homes if home.startswith(".")]
        from_own = [_from_import(home, homes[home]) for home in homes.keys() - beside]
        from_own += map(self._reexport, self._registering - {*self._modules, *homes})
        sections = [
            ["from __future__ import annotations"],
            [*map(self._import, standard), *from_standard],
            [*map(self._import, others)],
            [*map(self._import, own), *sorted(from_own)],
            [_from_import(home, homes[home]) for home in beside],
        ]
        return "\n\n".join("\n".join(section) for section in sections if section)

    def _import(self, module: str) -> str:
        local = self._modules[module]
        return f"import {module}" if local == module else f"import {module} as {local}"

    def _reexport(self, module: str) -> str:
        """Import a module that nothing names: checkers report it as unused in any other form."""
        package, _, name = module.rpartition(".")
        local = name if self._is_free(name) else self._take(f"{name}_")
        statement = f"import {name} as {local}"
        return f"from {package} {statement}" if package else statement

    def _proxy_name(self, spec: ServiceSpec) -> str:
        """Choose a class name with which no argument looks like a name mangled by Python."""
        arguments = {each.name for method in spec.methods for each in method.arguments}
        name = self._take(f"{spec.class_name}Proxy")
        while any(each.startswith(f"_{name.lstrip('_')}__") for each in arguments):
            name = self._take(name)
        return name

    def _is_free(self, name: str) -> bool:
        return name not in self._taken

    def _take(self, name: str) -> str:
        """Reserve the name, with underscores at its end if it is taken already."""
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name


def _is_standard(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names


def _members(spec: ServiceSpec, records: Iterable[RecordSpec]) -> Iterator[str]:
    """Yield the names in the class bodies of the module."""
    yield from (each.name for each in spec.methods)
    yield from (each.name for each in spec.signals)
    for record in records:
        yield from (field.attribute or field.name for field in record.fields)


def _from_import(module: str, names: Iterable[str]) -> str:
    ordered = sorted(names, key=_import_order)
    line = f"from {module} import {', '.join(ordered)}"
    if width(line) <= WIDTH:
        return line
    return statement(joined(f"from {module} import ", Brackets("(", tuple(ordered), ")")))


def _import_order(name: str) -> tuple[object, ...]:
    """Rank a name as ruff sorts imports: constants, classes, others; numbers by their value."""
    is_constant = len(name) > 1 and name.isupper()
    kind = 0 if is_constant else 1 if name[0].isupper() else 2
    parts = [
        (each.isdigit(), int(each) if each.isdigit() else 0, each.lower())
        for each in re.findall(r"[0-9]+|[^0-9]+", name)
    ]
    return kind, parts, name
