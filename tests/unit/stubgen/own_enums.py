"""An enum of a client."""

from __future__ import annotations

from enum import Enum


class Currency(Enum):
    EUR = "eur"
    USD = "usd"
