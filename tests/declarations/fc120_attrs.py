"""A field with an underscore stays on this side, or says under which name it crosses."""

import attrs

from farcall import service


@attrs.define
class Account:
    name: str
    _token: str


@service
class Bank:
    async def account(self, name: str) -> Account:
        return Account(name, "s3cret")
