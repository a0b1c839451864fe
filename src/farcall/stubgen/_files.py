"""Stubs on disk: write them, or compare them with the services."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterable, Mapping, Sequence
from difflib import unified_diff
from pathlib import Path
from types import ModuleType
from typing import Final

import attrs

from farcall._contract.identifiers import is_python_name
from farcall._declare import documented, is_service, service_of
from farcall._usage.options import check_path, check_text, wrong_type
from farcall.stubgen._errors import StubError
from farcall.stubgen._imported_types import with_imported_types
from farcall.stubgen._module import module_name, render_module, render_shared
from farcall.stubgen._on_disk import read_shared, users_in
from farcall.stubgen._sharing import OnDisk, Stub, full_name, share

SHARED: Final = "_shared"
"""The usual name of the module with the shared types."""


def render(service: object, *, types: Iterable[ModuleType] = ()) -> str:
    """Write the source of the stub of a service, with all of its types.

    Args:
        service: A decorated class, an object of one, or the result of `farcall.functions`.
        types: Your own modules. The stub imports the types that they have and that are the same as
            those of the service. A type of the same name that differs is logged as a warning.

    Returns:
        The source of a module, formatted as by ``ruff format``. The same service gives the same
        text in every process.

    Raises:
        DeclarationError: It is not a service.
        StubError: A module in `types` has no type of the service.

    >>> import farcall
    >>> def add(a: int, b: int) -> int:
    ...     return a + b
    >>> "async def add(self, a: int, b: int) -> int:" in render(farcall.functions(add, name="calc"))
    True
    """
    (stub,) = _stubs([service], types)
    return render_module(stub.spec, stub.digest, stub.origins)


def write(
    services: Iterable[object],
    directory: str | os.PathLike[str],
    *,
    shared: str = SHARED,
    types: Iterable[ModuleType] = (),
) -> list[Path]:
    """Write one module for each service, and one for the types that several of them share.

    Two services share a type if they use one class. The shared module keeps the types of services
    that are not written now. Modules that are up to date are left alone. A shared module without
    types is removed.

    No ``__init__.py`` is written: Python imports the directory as a namespace package, and with the
    file a project's own root could become a package.

    Args:
        services: Each as `render` takes it.
        directory: The target; made if it is missing.
        shared: The name of the module with the shared types.
        types: As for `render`.

    Returns:
        The path of each module, in the order of the services; that of the shared module is last, if
        it is of one of them.

    Raises:
        TypeError: An argument has the wrong type.
        StubError: Two services would be written to one file, there is a file of that name that
            is not a stub, the shared types do not fit into one module, or a module in `types` has
            no type of the services. Then nothing is written.
        OSError: The directory cannot be written to. A module is replaced whole or not at all.
    """
    modules = _modules(services, directory, shared, types)
    outdated = [each for each in modules if each.on_disk != each.content]
    Path(directory).mkdir(parents=True, exist_ok=True)
    # The stubs import the shared module, so it is written first, and removed last.
    for each in sorted(outdated, key=lambda each: each.is_shared, reverse=True):
        if each.content is not None:
            _replace(each.path, each.content)
    for each in outdated:
        if each.content is None:
            each.path.unlink()
    return [each.path for each in modules if each.content is not None]


def check(
    services: Iterable[object],
    directory: str | os.PathLike[str],
    *,
    shared: str = SHARED,
    types: Iterable[ModuleType] = (),
) -> str:
    """Compare the modules on disk with those that `write` would write.

    Args:
        services: Each as `render` takes it.
        directory: The directory of their modules.
        shared: The name of the module with the shared types.
        types: As for `render`.

    Returns:
        A unified diff from the modules on disk to the right ones; empty if they are the same. Their
        lines may end with CRLF, as in a checkout on Windows.

    Raises:
        TypeError, StubError: As for `write`.
        OSError: A module cannot be read.
    """
    return "".join(map(_difference, _modules(services, directory, shared, types)))


@attrs.frozen
class _Module:
    """A module to write."""

    path: Path
    content: bytes | None
    """None for a module that is to be removed."""
    on_disk: bytes | None
    """None if there is no file."""
    is_shared: bool = False


def _difference(module: _Module) -> str:
    if module.on_disk == module.content:
        return ""
    before = os.devnull if module.on_disk is None else str(module.path)
    after = os.devnull if module.content is None else str(module.path)
    lines = _lines(module.on_disk or b""), _lines(module.content or b"")
    return "".join(unified_diff(*lines, before, after))


def _are_several(services: object) -> bool:
    is_one = is_service(services) or isinstance(services, str | bytes)
    return isinstance(services, Iterable) and not is_one


def _modules(
    services: Iterable[object],
    directory: str | os.PathLike[str],
    shared: str,
    types: Iterable[ModuleType],
) -> list[_Module]:
    if not _are_several(services):
        raise wrong_type("services", "a list of services", services, "[Shop]")
    folder = Path(check_path("directory", directory, '"stubs"'))
    check_text("shared=", shared, write=f'"{SHARED}"')
    stubs = _stubs(services, types)
    paths = _paths(stubs, folder, shared)
    shared_path = folder / f"{shared}.py"
    before = _current(shared_path, is_shared=True)
    sharing = share(stubs, _kept(stubs, shared_path, before), shared)
    modules = list[_Module]()
    for path, stub in paths.items():
        source = render_module(stub.spec, stub.digest, sharing.imported_by(stub))
        modules.append(_Module(path, source.encode(), _current(path)))
    if sharing.users or (before is not None and _is_of(before, stubs)):
        source = render_shared(sharing.spec, sharing.names, sharing.users)
        content = source.encode() if sharing.users else None
        modules.append(_Module(shared_path, content, before, is_shared=True))
    return modules


def _stubs(services: Iterable[object], types: Iterable[ModuleType]) -> list[Stub]:
    modules = _checked_modules(types)
    found = map(service_of, services)
    stubs = [Stub(documented(each), each.digest, each.types) for each in found]
    return with_imported_types(stubs, modules)


def _checked_modules(types: Iterable[object]) -> list[ModuleType]:
    several = list(types) if _are_several(types) else [types]
    modules = [each for each in several if isinstance(each, ModuleType)]
    if several != modules or not _are_several(types):
        raise wrong_type("types=", "a list of modules", types, "[models]")
    return modules


def _paths(stubs: Iterable[Stub], folder: Path, shared: str) -> Mapping[Path, Stub]:
    """Return the path of each stub.

    Raises:
        StubError: Two modules have one name.
    """
    if not is_python_name(shared):
        raise StubError(
            f"{shared!r} cannot be the name of a module: write one such as --shared {SHARED}"
        )
    paths = dict[Path, Stub]()
    for stub in stubs:
        name = module_name(stub.spec)
        path = folder / f"{name}.py"
        if name == shared:
            raise StubError(
                f"{path} is the stub of {stub.service}: choose another name for the shared types"
                f" (--shared)"
            )
        if path in paths:
            raise StubError(
                f"two services are called {stub.service}, and both would be written to {path}:"
                f" write them to different directories"
            )
        paths[path] = stub
    return paths


def _kept(stubs: Sequence[Stub], path: Path, content: bytes | None) -> OnDisk:
    """Read the shared types on disk, unless they have nothing to do with this run."""
    if content is None:
        return OnDisk()
    known = users_in(content.decode()).keys()
    classes = {full_name(cls) for stub in stubs for cls in stub.classes.values()}
    is_needed = _is_of(content, stubs) or known & classes or share(stubs, OnDisk(), path.stem).users
    return read_shared(path) if is_needed else OnDisk()


def _is_of(content: bytes, stubs: Iterable[Stub]) -> bool:
    """Say whether a shared module has types of these services."""
    users = frozenset[str]().union(*users_in(content.decode()).values())
    return not users.isdisjoint(stub.service for stub in stubs)


def _current(path: Path, *, is_shared: bool = False) -> bytes | None:
    """Read the module at a path, with the line ends of stubs; None if there is no file.

    Raises:
        StubError: The file is not such a module; overwriting it could lose somebody's work.
    """
    if not os.path.lexists(path):
        return None
    content = path.read_bytes().replace(b"\r\n", b"\n") if path.is_file() else b""
    if is_shared and not content.startswith(_SHARED_HEADER):
        raise StubError(
            f"{path} is no module of shared types that farcall has written, so it stays as it"
            f" is: choose another name (--shared), or remove {path}"
        )
    if not is_shared and not _HEADER.match(content):
        raise StubError(
            f"{path} is not a stub that farcall has written, so it stays as it is: write the stub"
            f" to another directory (-o), or remove {path}"
        )
    return content


_HEADER = re.compile(rb'"""Typed client of \S+, generated by `farcall stubs`\.')
"""The first words of a stub, in every version."""

_SHARED_HEADER = b'"""Types that services share, generated by `farcall stubs`.'


def _replace(path: Path, content: bytes) -> None:
    """Write a new file and move it over the old one, so that no process imports half a module."""
    # In a directory that others can write to, a predictable name may be a link that they made.
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    file = beside.open("xb")
    try:
        with file:
            file.write(content)
        if path.exists():
            shutil.copymode(path, beside)
        beside.replace(path)
    except BaseException:
        beside.unlink()
        raise


def _lines(content: bytes) -> list[str]:
    *lines, rest = content.decode(errors="replace").split("\n")
    whole = [f"{line}\n" for line in lines]
    return [*whole, f"{rest}\n\\ No newline at end of file\n"] if rest else whole
