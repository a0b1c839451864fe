"""How often something may happen: a token bucket, which has no clock."""

from __future__ import annotations

import attrs


# Validating on assignment would send every change of a counter through Python code: none here.
@attrs.define(eq=False, on_setattr=attrs.setters.NO_OP)
class TokenBucket:
    """So many at once, and then so many a second.

    Args:
        per_second: Tokens that come back.
        burst: Tokens that it holds; it is full at first.
        at: The time of that.
    """

    _per_second: float
    _burst: int
    _at: float
    _tokens: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._tokens = self._burst

    def take(self, now: float) -> bool:
        """Take a token, and tell whether there was one."""
        fresh = (now - self._at) * self._per_second
        self._tokens = min(self._burst, self._tokens + fresh)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
