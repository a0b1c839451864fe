"""In a class body, Python changes a key that begins with two underscores."""

from typing import TypedDict

from farcall import service


class Account(TypedDict):
    name: str
    __token: str


@service
class Bank:
    async def account(self, name: str) -> Account:
        raise NotImplementedError
