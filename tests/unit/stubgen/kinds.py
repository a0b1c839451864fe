"""Type aliases in a module of their own, from which services import them."""

from __future__ import annotations

from typing import TypeAlias

Sku: TypeAlias = str
Rows: TypeAlias = "list[Sku]"
