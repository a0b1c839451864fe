"""Put modules on disk, or compare them with what is there."""

from __future__ import annotations

import os
from collections.abc import Iterable
from difflib import unified_diff
from pathlib import Path

from farcall._declare import documented, service_of
from farcall.stubgen._errors import StubError
from farcall.stubgen._module import module_name, render_module


def render(service: object) -> str:
    """Write the source of the stub of a service.

    Args:
        service: A decorated class, an object of one, or what `farcall.functions` has made.

    Returns:
        The source of a module, formatted as by ``ruff format``. The same service gives the same
        text in every process.

    Raises:
        DeclarationError: it is no service.

    >>> import farcall
    >>> def add(a: int, b: int) -> int:
    ...     return a + b
    >>> "async def add(self, a: int, b: int) -> int:" in render(farcall.functions(add, name="calc"))
    True
    """
    found = service_of(service)
    return render_module(documented(found), found.digest)


def write(services: Iterable[object], directory: Path) -> list[Path]:
    """Write one module for each service; what is up to date already is not touched.

    Nothing else is written: a directory without ``__init__.py`` is imported as a namespace
    package, and making one would turn a project's own root into a package when that is the
    directory asked for.

    Args:
        services: Each as `render` takes it.
        directory: Where to; made where it is missing.

    Returns:
        The path of each module, in the order of the services.

    Raises:
        StubError: two services would be written to one file.
        OSError: the directory cannot be written to. A module is replaced whole or not at all.
    """
    modules = _modules(services, directory)
    directory.mkdir(parents=True, exist_ok=True)
    for path, content in modules.items():
        if _content(path) != content:
            _replace(path, content)
    return list(modules)


def check(services: Iterable[object], directory: Path) -> str:
    """Compare the modules on disk with what `write` would write.

    Args:
        services: Each as `render` takes it.
        directory: Where their modules should be.

    Returns:
        A unified diff from disk to what should be there; empty where they are the same.

    Raises:
        StubError: two services would be written to one file.
    """
    modules = _modules(services, directory)
    return "".join(_diff(path, content) for path, content in modules.items())


def _modules(services: Iterable[object], directory: Path) -> dict[Path, bytes]:
    modules = dict[Path, bytes]()
    for service in services:
        spec = service_of(service).spec
        path = directory / f"{module_name(spec)}.py"
        if path in modules:
            raise StubError(
                f"two services are called {spec.class_name}, and both would be written to {path}:"
                f" write them to different directories"
            )
        modules[path] = render(service).encode()
    return modules


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _replace(path: Path, content: bytes) -> None:
    """Write beside the file and move over it, so that nobody ever imports half of one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _diff(path: Path, content: bytes) -> str:
    current = _content(path)
    if current == content:
        return ""
    name = os.devnull if current is None else str(path)
    return "".join(unified_diff(_lines(current or b""), _lines(content), name, str(path)))


def _lines(content: bytes) -> list[str]:
    *lines, rest = content.decode(errors="replace").split("\n")
    whole = [f"{line}\n" for line in lines]
    return [*whole, f"{rest}\n\\ No newline at end of file\n"] if rest else whole
