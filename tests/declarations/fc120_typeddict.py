"""Two underscores in front make Python write another key."""

from typing import TypedDict

from farcall import service


class Account(TypedDict):
    name: str
    __token: str


@service
class Bank:
    async def account(self, name: str) -> Account:
        raise NotImplementedError
