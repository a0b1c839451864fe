"""Read the types of a shared module that an earlier run has written.

They are read as those of a service are: from the classes of the module, which is run for that.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from farcall._contract.definitions import Definitions
from farcall._contract.describe import describe
from farcall._contract.spec import Definition, RecordSpec
from farcall._declare import alias_in, hints_of
from farcall.stubgen._errors import StubError, in_one_line
from farcall.stubgen._sharing import AliasKey, OnDisk, UsedType, alias_key, imported_key

_LINE = re.compile(r"(?P<key>\S.*): (?P<users>\w+(?:, \w+)*)")


def users_in(source: str) -> Mapping[str, frozenset[str]]:
    """Read the header of a shared module: the services that use each type, by its key."""
    lines = map(_LINE.fullmatch, source.split('"""')[1].splitlines())
    return {each["key"]: frozenset(each["users"].split(", ")) for each in lines if each}


def read_shared(path: Path) -> OnDisk:
    """Read a shared module.

    Raises:
        StubError: It cannot be imported, or has changed since it was written.
    """
    source = path.read_text("utf-8")
    users = users_in(source)
    try:
        with _imported(path) as module:
            return _types_in(module, users, _origins(source))
    except Exception as exc:  # the user may have changed the module into anything
        services = sorted({each for several in users.values() for each in several})
        raise StubError(
            f"{path} cannot be read ({in_one_line(exc)}): remove it, and write the stubs of"
            f" {' and '.join(services)} together"
        ) from exc


@contextmanager
def _imported(path: Path) -> Iterator[ModuleType]:
    """Run a module under a name that no other module has."""
    name = f"{path.stem}_of_farcall_stubs"
    spec = spec_from_file_location(name, path)
    assert spec is not None  # the path of a module ends with .py
    sys.modules[name] = module = module_from_spec(spec)
    try:
        exec(compile(path.read_bytes(), path, "exec"), vars(module))
        yield module
    finally:
        del sys.modules[name]


def _origins(source: str) -> Mapping[str, str]:
    """Find the names that a module imports, each with the module that has it."""
    imports = [each for each in ast.parse(source).body if isinstance(each, ast.ImportFrom)]
    return {name.name: each.module or "" for each in imports for name in each.names}


def _types_in(
    module: ModuleType, users: Mapping[str, frozenset[str]], origins: Mapping[str, str]
) -> OnDisk:
    keys = {_name(key): key for key in users if "." in key}
    definitions = _described(module, sorted({*keys, *module.__all__} - users.keys()))
    scope = {
        name: keys[name] if name in keys else imported_key(origins[name], name)
        for name in definitions
    }
    types = [
        UsedType(
            scope[each.name],
            each,
            set(users.get(scope[each.name], ())),
            scope,
            None if each.name in keys else origins[each.name],
            bases=_bases(each, scope),
        )
        for each in definitions.sorted()
    ]
    aliases = dict[AliasKey, frozenset[str]]()
    for name in users.keys() - keys.values():
        target = describe(alias_in(module, name), definitions)
        aliases[alias_key(name, target, scope)] = users[name]
    return OnDisk(types, aliases)


def _described(module: ModuleType, names: Iterable[str]) -> Definitions:
    """Describe the types of a module; a generic one with any arguments."""
    definitions = Definitions(hints_of, calls_factories=True)
    for name in names:
        cls: Any = getattr(module, name)
        parameters = getattr(cls, "__parameters__", ())
        describe(cls[(Any,) * len(parameters)] if parameters else cls, definitions)
    return definitions


def _name(key: str) -> str:
    return key.partition(" ")[0].rpartition(".")[2]


def _bases(spec: Definition, scope: Mapping[str, str]) -> dict[str, str]:
    base = spec.base if isinstance(spec, RecordSpec) else None
    return {} if base is None else {base: scope[base]}
