"""The description of a server's services, in the form of OpenRPC.

Other readers find the methods in it, with their parameters by name. farcall finds the whole
contracts in the member ``x-farcall``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from farcall._contract.digest import digest
from farcall._contract.document import document_of
from farcall._contract.forms import Form
from farcall._contract.spec import ArgumentSpec, MethodSpec, ServiceSpec

OPENRPC: Final = "1.3.2"
"""The version of the specification, https://spec.open-rpc.org."""

CONTRACTS: Final = "x-farcall"
"""The member that holds the contracts."""

_VERSION_DIGITS: Final = 12
"""Digits of the version of a description, a hash of all digests."""


def description_of(services: Iterable[ServiceSpec]) -> dict[str, Form]:
    """Describe the services at one path."""
    specs = tuple(services)
    digests = " ".join(sorted(map(digest, specs)))
    version = hashlib.sha256(digests.encode()).hexdigest()[:_VERSION_DIGITS]
    title = ", ".join(spec.name or spec.class_name for spec in specs)
    return {
        "openrpc": OPENRPC,
        "info": {"title": title, "version": version},
        "methods": [_method(method) for spec in specs for method in spec.methods],
        CONTRACTS: document_of(specs),
    }


def _method(spec: MethodSpec) -> Form:
    # In OpenRPC required parameters come first.
    arguments = sorted(spec.arguments, key=lambda each: each.default is not None)
    roles = {each.role for each in spec.arguments}
    structure = "by-position" if "positional" in roles else "either"
    form: dict[str, Form] = {
        "name": spec.wire_name,
        "paramStructure": "by-name" if "keyword" in roles else structure,
        "params": [_parameter(each) for each in arguments],
    }
    if not spec.oneway:
        form["result"] = {"name": "result", "schema": {}}
    return form


def _parameter(spec: ArgumentSpec) -> Form:
    return {"name": spec.name, "required": spec.default is None, "schema": {}}
