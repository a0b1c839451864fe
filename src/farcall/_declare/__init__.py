"""Declaring services: `@service`, `@method` and the rest, and what they make of a class.

A class goes one way through these files: `marks` and `streams` (what decorators say about a
member), `members` (its body), `reading` (each function, its types resolved), `methods` and
`signals` (contract and codecs), `service` (put together under one name). `kept` looks at classes
that override members without being read. `rules` numbers what can be wrong, `sites` and `source`
find where.
"""

from __future__ import annotations

from farcall._declare.annotations import resolved_hints
from farcall._declare.decorators import functions, service, service_of, service_of_object
from farcall._declare.marks import background, errors_listed, local, method, site_to_mark
from farcall._declare.methods import Method, method_of
from farcall._declare.rules import Rule
from farcall._declare.service import Service, is_service
from farcall._declare.signals import SignalEntry
from farcall._declare.sites import site_of_attribute, site_of_caller
from farcall._declare.streams import stream
from farcall._declare.written import documented

__all__ = [
    "Method",
    "Rule",
    "Service",
    "SignalEntry",
    "background",
    "documented",
    "errors_listed",
    "functions",
    "is_service",
    "local",
    "method",
    "method_of",
    "resolved_hints",
    "service",
    "service_of",
    "service_of_object",
    "site_of_attribute",
    "site_of_caller",
    "site_to_mark",
    "stream",
]
