"""What the protocol answered by itself, as plain data."""

from __future__ import annotations

import json
from typing import Any

from tests.unit.protocol.pair import Told


def replied(told: Told) -> Any:
    """Give what the protocol answered by itself."""
    what, text = told
    assert what == "reply"
    return json.loads(text)


def refused(told: Told, code: int) -> Any:
    """Check that the protocol refused a message, and give the id it answered to."""
    reply = replied(told)
    assert reply["error"]["code"] == code
    return reply["id"]
