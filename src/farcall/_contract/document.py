"""The member ``x-farcall`` of a description: contracts, which a reader does not trust."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from farcall._contract.digest import digest
from farcall._contract.form_reading import (
    MAX_PARTS,
    BadDocument,
    read_form,
)
from farcall._contract.forms import Form, form_of
from farcall._contract.spec import ServiceSpec
from farcall._contract.validity import check_contract
from farcall._json import is_array, is_object

VERSION: Final = 1
"""The version of the form; a reader takes its own and lower ones."""

MAX_BYTES: Final = 16 * 1024 * 1024
"""Bytes of the text of a document."""

DIGEST: Final = "digest"


def document_of(services: Iterable[ServiceSpec]) -> dict[str, Form]:
    """Write contracts as the member ``x-farcall``.

    Args:
        services: The contracts, in their order.

    Returns:
        Plain JSON, in which each contract has its digest beside it.
    """
    forms: list[Form] = []
    for spec in services:
        form = form_of(spec)
        assert isinstance(form, dict)
        forms.append({**form, DIGEST: digest(spec)})
    return {"v": VERSION, "services": forms}


def read_document(document: object) -> tuple[ServiceSpec, ...]:
    """Read contracts from a source that is not trusted.

    Unknown members are ignored, so that later versions can add some.

    Args:
        document: The member ``x-farcall``, decoded.

    Raises:
        BadDocument: it has a wrong shape or a higher version, or a contract in it is not valid or
            has another digest.
    """
    if not is_object(document):
        raise BadDocument("", "expected an object")
    _check_version(document.get("v"))
    services = document.get("services")
    if not is_array(services) or len(services) > MAX_PARTS:
        raise BadDocument("services", f"expected a list of at most {MAX_PARTS} services")
    return tuple(_read_service(form, f"services[{i}]") for i, form in enumerate(services))


def parse_document(text: bytes | str) -> tuple[ServiceSpec, ...]:
    """Read a JSON text that holds a document; see `read_document`."""
    if len(text) > MAX_BYTES:
        raise BadDocument("", f"the text has more than {MAX_BYTES} bytes")
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadDocument("", f"the text is not JSON ({error})") from None
    return read_document(document)


def _check_version(version: object) -> None:
    if type(version) is not int or version < 1:
        raise BadDocument("v", "expected the version of the document, an integer from 1")
    if version > VERSION:
        raise BadDocument(
            "v", f"the document has version {version}, and this farcall reads {VERSION}"
        )


def _read_service(form: Any, path: str) -> ServiceSpec:
    spec = read_form(ServiceSpec, form, path)
    check_contract(spec, path)
    stated = form.get(DIGEST)
    if stated is not None and stated != digest(spec):
        raise BadDocument(f"{path}.{DIGEST}", "this is not the digest of the contract")
    return spec
