"""The type on the wire is JSON, without classes of one's own."""

from dataclasses import dataclass

from farcall import register_type


@dataclass
class Money:
    cents: int


@dataclass
class Price:
    money: Money


register_type(Price, Money, encode=lambda price: price.money, decode=Price)
