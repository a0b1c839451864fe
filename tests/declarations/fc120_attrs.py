"""A private field stays local, or needs a public name for the wire."""

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
