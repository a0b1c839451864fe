"""A field of a dataclass has no alias, so a field that crosses the wire needs a public name."""

from dataclasses import dataclass

from farcall import service


@dataclass
class Account:
    name: str
    _token: str


@service
class Bank:
    async def account(self, name: str) -> Account:
        return Account(name, "s3cret")
