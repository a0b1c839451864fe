"""Stubs of random services are formatted, clean, importable and correct."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, get_type_hints

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from msgspec.structs import replace

import farcall
from farcall import stubgen
from farcall._contract.spec import Definition, EnumSpec, RecordSpec, ServiceSpec
from farcall.stubgen._module import render_module, render_shared
from farcall.stubgen._sharing import OnDisk, Stub, share
from tests.unit.stubgen.running import imported
from tests.unit.stubgen.strategies import services
from tests.unit.stubgen.test_same_aliases import Aliased
from tests.unit.stubgen.test_same_defaults import Shop
from tests.unit.stubgen.test_same_records import Shelf

RULES = "F,I,W,UP,B,C4,PIE,PERF,SIM,RET,PGH,E9,RUF1"
"""What is not a matter of the names and texts that are the service's own."""

IGNORED = "B008,UP042"
"""The call in a default makes what cannot change, and ``class E(str, Enum)`` is the service's."""

few = settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])

some = settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])


def ruff(*command: str, source: str) -> str:
    """Give what ruff has to say about `source`."""
    style = ("--isolated", "--quiet", "--line-length=100", "--target-version=py311", "-")
    # Not from here, where farcall is not the third party that it is to the user of a stub.
    away = Path(__file__).anchor
    run = subprocess.run(
        [sys.executable, "-m", "ruff", *command, *style],
        input=source,
        cwd=away,
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout + run.stderr


@given(services())
@some
def test_ruff_format_would_change_nothing(spec: ServiceSpec) -> None:
    """Every stub is formatted as by ruff format."""
    assert ruff("format", "--diff", source=render_module(spec, "0" * 32)) == ""


@given(services())
@some
def test_ruff_check_finds_nothing(spec: ServiceSpec) -> None:
    """Every stub passes ruff check."""
    assert (
        ruff(
            "check",
            f"--select={RULES}",
            f"--ignore={IGNORED}",
            source=render_module(spec, "0" * 32),
        )
        == ""
    )


@given(services())
@some
def test_it_runs_and_every_annotation_has_a_meaning(spec: ServiceSpec) -> None:
    """Every stub can be imported, and its annotations resolve to the types of the service."""
    with imported(render_module(spec, "0" * 32)) as module:
        for record in (each for each in spec.definitions if isinstance(each, RecordSpec)):
            hints = get_type_hints(getattr(module, record.name))
            assert {each.name for each in record.fields} <= hints.keys()
        for method in spec.methods:
            hints = get_type_hints(getattr(proxy_of(module), method.name))
            status = set[str]() if method.started is None else {"task_status"}
            assert hints.keys() == {"return", *(each.name for each in method.arguments)} | status


@given(services())
@some
def test_docstrings_arrive(spec: ServiceSpec) -> None:
    """Every docstring in a stub equals that of the service."""
    source = render_module(spec, "0" * 32)
    with imported(source) as module:
        texts = [(proxy_of(module), spec.doc)]
        texts += [(getattr(proxy_of(module), each.name), each.doc) for each in spec.methods]
        for each in spec.definitions:
            # Without a class body there is no place for one.
            if isinstance(each, RecordSpec | EnumSpec) and re.search(
                f"class {each.name}\\b", source
            ):
                texts.append((getattr(module, each.name), each.doc))
        for owner, text in texts:
            assert not shown(text) or shown(inspect.getdoc(owner)) == shown(text)


@given(services(), services())
@few
def test_stubs_that_share_types_are_clean(spec: ServiceSpec, other: ServiceSpec) -> None:
    """Stubs and their shared module are formatted, pass ruff check, and can be imported."""
    with TemporaryDirectory() as folder:
        package = Path(folder) / f"stubs_{secrets.token_hex(8)}"
        package.mkdir()
        for name, source in sharing(spec, other).items():
            (package / f"{name}.py").write_text(source, "utf-8")
            assert ruff("format", "--diff", source=source) == ""
            assert ruff("check", "--select=F,I", source=source) == ""
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(folder)
            for name in ("one", "two", "three"):
                importlib.import_module(f"{package.name}.{name}")


def sharing(spec: ServiceSpec, other: ServiceSpec) -> dict[str, str]:
    """Render two stubs that share all of their types, one that does not, and the shared module."""
    classes, others = (
        {each.name: class_for(each) for each in s.definitions} for s in (spec, other)
    )
    stubs = {
        name: Stub(replace(each, class_name=name), "0" * 32, found)
        for name, each, found in (
            ("one", spec, classes),
            ("two", spec, classes),
            ("three", other, others),
        )
    }
    shared = share(list(stubs.values()), OnDisk(), "_shared")
    modules = {
        name: render_module(each.spec, each.digest, shared.imported_by(each))
        for name, each in stubs.items()
    }
    return modules | {"_shared": render_shared(shared.spec, shared.names, shared.users)}


def class_for(definition: Definition) -> type:
    return type(definition.name, (), {"__module__": "app"})


@pytest.mark.slow
def test_mypy_finds_nothing(tmp_path: Path) -> None:
    """Every stub passes mypy --strict."""
    write_some(tmp_path)

    lines = mypy(tmp_path).splitlines()

    assert [line for line in lines if ALIAS_OF_NAMED_TUPLE not in line] == []


@pytest.mark.slow
def test_pyright_finds_nothing(tmp_path: Path) -> None:
    """Every stub passes pyright in strict mode."""
    write_some(tmp_path)
    config = {"typeCheckingMode": "strict", "pythonVersion": "3.11"}
    paths = {"include": ["."], "extraPaths": [str(Path(farcall.__file__).parent.parent)]}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps({**config, **paths}))

    run = subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    errors = [line for line in run.stdout.splitlines() if " - " in line]
    assert "informations" in run.stdout
    assert [line for line in errors if NEW_TYPE_IN_A_CIRCLE not in line] == []


NEW_TYPE_IN_A_CIRCLE = "Variable not allowed in type expression"
"""What pyright says of a new type that stands for records which refer to it."""

ALIAS_OF_NAMED_TUPLE = "Bad number of arguments for type alias, expected 0"
"""What mypy says of a generic named tuple that has a second name and is part of a circle."""


def write_some(folder: Path) -> None:
    """Write a dozen stubs, and those of services that have every type and every default."""
    known = map(stubgen.render, (Aliased, Shelf, Shop))
    for number, source in enumerate([*known, *sources(12)]):
        (folder / f"stub{number}.py").write_text(source, "utf-8")


def sources(count: int) -> list[str]:
    """Render contracts, the same ones each time."""
    rendered: list[str] = []

    @given(services())
    @settings(
        max_examples=count,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )
    def collect(spec: ServiceSpec) -> None:
        rendered.append(render_module(spec, "0" * 32))

    collect()
    return rendered


def mypy(modules: Path) -> str:
    """Give the errors that mypy finds."""
    run = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--no-error-summary"),
            *("--config-file=", f"--cache-dir={modules / 'cache'}", modules),
        ],
        env={**os.environ, "MYPYPATH": str(Path(farcall.__file__).parent.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout + run.stderr


def proxy_of(module: ModuleType) -> Any:
    return next(
        each
        for name, each in vars(module).items()
        if isinstance(each, type) and getattr(each, "_contract_digest", "") == "0" * 32
    )


def shown(doc: str | None) -> str:
    return "\n".join(line.rstrip() for line in (doc or "").strip().split("\n"))
