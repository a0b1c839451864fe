"""Declarations: `@service` and the other decorators, and how they turn a class into a contract.

The way of a class: `marks` and `streams` (the decorators of members), `members` (its body),
`functions` (each function, parsed), `methods` and `signals` (contract and codecs), `service` (all
of them under one name). `overrides` checks undecorated subclasses. `rules` numbers the mistakes,
`sites` finds their lines.
"""

from __future__ import annotations

from farcall._declare.aliases import alias_in, hints_of
from farcall._declare.annotations import resolved_hints
from farcall._declare.decorators import functions, service, service_of, service_of_object
from farcall._declare.marks import background, errors_listed, local, method, site_to_mark
from farcall._declare.methods import Method, method_of
from farcall._declare.own_types import register_type
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
    "alias_in",
    "background",
    "documented",
    "errors_listed",
    "functions",
    "hints_of",
    "is_service",
    "local",
    "method",
    "method_of",
    "register_type",
    "resolved_hints",
    "service",
    "service_of",
    "service_of_object",
    "site_of_attribute",
    "site_of_caller",
    "site_to_mark",
    "stream",
]
