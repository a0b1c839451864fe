"""The fields of a dataclass have no other name to cross under."""

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
