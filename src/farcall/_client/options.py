"""The options of a client."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias, get_args

import attrs

from farcall._calling.contracts import ContractCheck
from farcall._declare import is_service
from farcall._serving.endpoints import Endpoints
from farcall._serving.options import LinkKeywords, LinkOptions
from farcall._transport.dial import check_headers
from farcall._usage.options import check_several, check_word, validator, wrong_type

Dialect: TypeAlias = Literal["farcall", "plain"]
"""Whether to say hello; ``"plain"`` is best for servers that are not farcall."""


class SessionKeywords(LinkKeywords, total=False):
    """Keyword arguments of `connect` and `farcall.testing.open_pair`."""

    dialect: Dialect
    headers: Mapping[str, str] | None
    login: object
    contract: ContractCheck
    serves: Sequence[object]


class ConnectKeywords(SessionKeywords, total=False):
    """Keyword arguments of `connect`; `ClientOptions` has the defaults."""

    ssl_context: ssl.SSLContext | None


@attrs.frozen(kw_only=True, slots=False)
class ClientOptions(LinkOptions):
    """The options of `connect`."""

    dialect: Dialect = attrs.field(
        default="farcall", validator=validator(check_word, words=get_args(Dialect))
    )
    headers: Mapping[str, str] | None = None
    ssl_context: ssl.SSLContext | None = None
    login: object = None
    """The parameters of `rpc.login`; None for no login."""
    contract: ContractCheck = attrs.field(
        default="warn", validator=validator(check_word, words=get_args(ContractCheck))
    )
    serves: Sequence[object] = ()
    endpoints: Endpoints = attrs.field(init=False)
    """The endpoints of `serves`."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        object.__setattr__(self, "endpoints", _endpoints_of(self.serves))
        if self.headers is not None:
            check_headers(self.headers)
        if self.dialect == "plain" and self.contract == "strict":
            raise ValueError(
                'contract="strict" compares contracts at the hello, which dialect="plain" does not'
                " send; write one of the two"
            )


def _endpoints_of(serves: Sequence[object]) -> Endpoints:
    takes = "a list of service objects"
    if is_service(serves):
        write = f"[{type(serves).__name__}()]"
        raise wrong_type("serves=", takes, serves, write)
    check_several("serves=", serves, takes, "[Callbacks()]")
    return Endpoints.of(serves)
