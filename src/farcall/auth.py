"""Ready-made authentication, for ``serve(authenticate=...)``.

Secrets are compared with `hmac.compare_digest`. An unknown name costs one hash, as a wrong password
does, so that the time of a login does not reveal which names are known.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import unicodedata
from collections.abc import Mapping, Set
from typing import Any, Final, cast

import attrs
import trio

from farcall._principal import Authenticate, Credentials, Principal, check_authenticate
from farcall._usage.options import (
    check_instance,
    check_int,
    check_seconds,
    check_text,
    check_text_mapping,
    check_texts,
    kind_of,
    optional,
    wrong_value,
)
from farcall.errors import Unauthorized

__all__ = ["BearerTokens", "StaticUsers", "first_of", "hash_password", "verify_password"]

COST: Final = 2**14
BLOCK_SIZE: Final = 8
PARALLELISM: Final = 5
"""For scrypt (RFC 7914), by OWASP's advice for little memory: 16 MiB and about 0.2 s a hash."""

MAX_MEMORY: Final = 256 * 1024 * 1024
"""Bytes that a stored hash may require; eight logins may run at a time."""

SALT_BYTES: Final = 16
HASH_BYTES: Final = 32

MAX_BYTES: Final = 1024
"""Of a name, and of a password, in UTF-8. The time to normalise a text grows with the square of its
length: 40 s for 480 kB of accents, in which nothing else runs."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
"""RFC 8265, section 4.2: no password has a control character. One that ends with NUL characters
would match the hash of the same without them, because HMAC, below scrypt, pads its key with NUL."""

NO_PARTS: Final = "a stored hash is scrypt$cost$block size$parallelism$salt$hash, in base64"


@attrs.frozen
class _Stored:
    """The hash of a password, with its parameters."""

    cost: int
    block_size: int
    parallelism: int
    salt: bytes = attrs.field(repr=False)
    hash: bytes = attrs.field(repr=False)

    @classmethod
    def read(cls, text: str) -> _Stored:
        """Parse the text that `render` returned.

        Raises:
            ValueError: it is malformed, or requires too much memory.
        """
        scheme, *parts = text.split("$")
        if scheme != "scrypt" or len(parts) != 5:
            raise ValueError(NO_PARTS)
        try:
            cost, block_size, parallelism = map(int, parts[:3])
            salt, digest = (base64.b64decode(part, validate=True) for part in parts[3:])
        except ValueError:  # of base64 as well
            raise ValueError(NO_PARTS) from None
        if not (salt and digest) or min(cost, block_size, parallelism) < 1 or cost & (cost - 1):
            raise ValueError(NO_PARTS)
        stored = cls(cost, block_size, parallelism, salt, digest)
        if stored.memory > MAX_MEMORY:
            raise ValueError(f"a stored hash asks for more than {MAX_MEMORY} bytes of memory")
        return stored

    def render(self) -> str:
        numbers = (str(each) for each in (self.cost, self.block_size, self.parallelism))
        texts = (base64.b64encode(each).decode() for each in (self.salt, self.hash))
        return "$".join(["scrypt", *numbers, *texts])

    @property
    def price(self) -> tuple[int, ...]:
        """Equal for hashes that cost the same time and memory."""
        return self.cost, self.block_size, self.parallelism, len(self.salt), len(self.hash)

    @property
    def memory(self) -> int:
        """The bytes that hashing takes, as OpenSSL counts them."""
        return 128 * self.block_size * (self.cost + self.parallelism + 2)

    def hash_of(self, password: str) -> bytes:
        """Hash a password with the parameters and the salt of this hash."""
        return hashlib.scrypt(
            _bytes(unicodedata.normalize("NFC", password)),
            salt=self.salt,
            n=self.cost,
            r=self.block_size,
            p=self.parallelism,
            maxmem=self.memory + 1,
            dklen=len(self.hash),
        )

    def unmatched(self) -> _Stored:
        """Make a hash of the same price that no password matches."""
        return attrs.evolve(
            self,
            salt=secrets.token_bytes(len(self.salt)),
            hash=secrets.token_bytes(len(self.hash)),
        )


def hash_password(
    password: str,
    *,
    cost: int = COST,
    block_size: int = BLOCK_SIZE,
    parallelism: int = PARALLELISM,
) -> str:
    """Hash a password for `StaticUsers`; takes about 0.2 s, in which nothing else runs.

    Args:
        password: A text of 1 to 1,024 bytes in UTF-8, without control characters. Every other
            character counts, also spaces and case. It is normalised to NFC, because keyboards
            write the same letter in several ways.
        cost: Of scrypt, a power of two.
        block_size: Of scrypt; the memory in bytes is 128 times `cost` times this.
        parallelism: Of scrypt; multiplies the time, but not the memory.

    Returns:
        A text with these parameters, a new salt, and the hash.

    Raises:
        TypeError: the password is not a str, or a parameter not an int.
        ValueError: the password is not as described, or scrypt does not accept the parameters.

    >>> stored = hash_password("open sesame")
    >>> verify_password("open sesame", stored), verify_password("guess", stored)
    (True, False)
    """
    problem = _problem(password)
    if problem is not None:
        raise ValueError(f"a password {problem}")
    for parameter, value in (("block_size", block_size), ("parallelism", parallelism)):
        check_int(f"{parameter}=", value, least=1)
    check_int("cost=", cost, least=2)
    if cost & (cost - 1):
        raise wrong_value("cost=", "a power of two", cost, f"{2 ** cost.bit_length()}")
    salt = secrets.token_bytes(SALT_BYTES)
    empty = _Stored(cost, block_size, parallelism, salt, bytes(HASH_BYTES))
    return attrs.evolve(empty, hash=empty.hash_of(password)).render()


def verify_password(password: str, stored: str) -> bool:
    """Return whether `stored` is the hash of a password; takes as long as `hash_password` did.

    For a password that `hash_password` refuses it returns False at once.

    Raises:
        TypeError: one of them is not a str.
        ValueError: `stored` is not a text of `hash_password`.
    """
    check_text("stored", stored, may_be_empty=True)
    known = _Stored.read(stored)
    return _problem(password) is None and _matches(known, password)


def _problem(password: object) -> str | None:
    """Return why a text cannot be a password, or None if it can; costs next to nothing."""
    if not isinstance(password, str):
        raise TypeError(f"a password is a str, not {type(password).__name__}")
    if not password:
        return "has at least one character"
    if _is_too_long(password):
        return f"has at most {MAX_BYTES} bytes in UTF-8"
    if _CONTROL.search(password):
        return "has no control characters, such as NUL or the end of a line"
    return None


def _is_too_long(text: str) -> bool:
    return len(text) > MAX_BYTES or len(_bytes(text)) > MAX_BYTES


def _matches(stored: _Stored, password: str) -> bool:
    return hmac.compare_digest(stored.hash, stored.hash_of(password))


async def _matches_in_thread(stored: _Stored, password: str) -> bool:
    # A `trio.testing.MockClock` does not wait for a thread: it would jump past every deadline.
    if hasattr(trio.lowlevel.current_clock(), "autojump_threshold"):
        await trio.lowlevel.checkpoint()
        return _matches(stored, password)
    return await trio.to_thread.run_sync(_matches, stored, password)


class StaticUsers:
    """Authenticate users by name and password: ``serve(..., authenticate=StaticUsers(hashes))``.

    A login is ``{"name": ..., "password": ...}`` or ``[name, password]``. Every handshake is
    accepted, without a principal.

    Names are compared character by character. A name or a password of more than 1,024 bytes, and a
    password that `hash_password` refuses, fails before it is hashed.

    Args:
        hashes: The results of `hash_password`, by the name of the user.
        roles: The roles of users, by name.
        expires_after: Seconds until a login expires; None for the life of the connection.

    Raises:
        TypeError: an argument is of another type; the message names it.
        ValueError: a hash is malformed; two have different parameters, so that the time of a login
            would reveal which names are known; a name is too long; or a user with roles has no
            hash.

    >>> users = StaticUsers({"ada": hash_password("open sesame")}, roles={"ada": {"admin"}})
    >>> trio.run(users, Credentials(login={"name": "ada", "password": "open sesame"})).roles
    frozenset({'admin'})
    """

    def __init__(
        self,
        hashes: Mapping[str, str],
        *,
        roles: Mapping[str, Set[str]] | None = None,
        expires_after: float | None = None,
    ) -> None:
        check_text_mapping("hashes", hashes, '{"ada": hash_password("open sesame")}')
        if roles is not None:
            _check_roles(roles)
        optional(check_seconds)("expires_after=", expires_after)
        if too_long := [name for name in hashes if _is_too_long(name)]:
            raise ValueError(f"{too_long[0][:40]!r}...: a name has at most {MAX_BYTES} bytes")
        self._stored = {name: _read_hash_of(name, text) for name, text in hashes.items()}
        _check_prices(self._stored)
        self._principals = _principals(self._stored, roles or {}, expires_after)
        some = next(iter(self._stored.values()), None)
        self._unknown = _Stored(COST, BLOCK_SIZE, PARALLELISM, b" " * SALT_BYTES, b" " * HASH_BYTES)
        self._unknown = (some or self._unknown).unmatched()

    def __repr__(self) -> str:
        return f"<StaticUsers: {len(self._stored)}>"

    async def __call__(self, credentials: Credentials) -> Principal | None:
        """Return the principal of a login, or None; hashes in a thread.

        Under virtual time, which does not wait for threads, it hashes without one.

        Cancellation:
            Waits for the thread, which cannot be stopped.
        """
        login = _name_and_password(credentials.login)
        if login is None:
            return None
        name, password = login
        if _is_too_long(name) or _problem(password) is not None:
            return None
        stored = self._stored.get(name, self._unknown)
        is_right = await _matches_in_thread(stored, password)
        return self._principals.get(name) if is_right else None


class BearerTokens:
    """Authenticate peers by a token: ``serve(..., authenticate=BearerTokens(principals))``.

    The token comes in the handshake, as ``Authorization: Bearer ...``, where a wrong one is refused
    with HTTP 401; or by a login, ``{"token": ...}`` or ``[token]``. A handshake without a token is
    accepted, without a principal.

    Each token is compared with all principals, so there should be at most a few hundred.

    Args:
        principals: By token; a token is long and random, such as ``secrets.token_urlsafe()``.

    Raises:
        TypeError: `principals` is not a mapping from str to `Principal`.
        ValueError: a token is empty, or begins or ends with white space, which no header can have.

    >>> tokens = BearerTokens({"a long and random text": Principal("ada")})
    >>> trio.run(tokens, Credentials(login=["a long and random text"])).name
    'ada'
    """

    def __init__(self, principals: Mapping[str, Principal]) -> None:
        _check_tokens(principals)
        if "" in principals:
            raise ValueError("principals has an empty token, which any peer could send")
        if any(token != token.strip() for token in principals):
            raise ValueError("a token must not begin or end with white space; write token.strip()")
        self._principals = {_bytes(token): each for token, each in principals.items()}

    def __repr__(self) -> str:
        return f"<BearerTokens: {len(self._principals)}>"

    async def __call__(self, credentials: Credentials) -> Principal | None:
        """Return the principal of the token, or None.

        Raises:
            Unauthorized: a handshake has an unknown token.
        """
        if credentials.login is not None:
            return self._find(_token_of_login(credentials.login))
        token = _token_of_header(credentials.headers.get("authorization", ""))
        principal = self._find(token)
        if token is not None and principal is None:
            raise Unauthorized("unknown token")
        return principal

    def _find(self, token: str | None) -> Principal | None:
        if token is None:
            return None
        given, found = _bytes(token), None
        for known, principal in self._principals.items():
            # Compare with all of them, so that the time reveals nothing about any.
            if hmac.compare_digest(known, given):
                found = principal
        return found


def first_of(*authenticates: Authenticate) -> Authenticate:
    """Combine several ways to authenticate: the first that returns a principal counts.

    Args:
        authenticates: Such as a `BearerTokens` and a `StaticUsers`.

    Returns:
        A function for ``serve(authenticate=...)``. It raises `Unauthorized` if one of them does
        and none returns a principal.

    Raises:
        TypeError: there is none, or one is not an async function of the credentials.

    >>> robots, guests = (BearerTokens({name: Principal(name)}) for name in ("robot", "guest"))
    >>> trio.run(first_of(robots, guests), Credentials(login=["guest"])).name
    'guest'
    """
    if not authenticates:
        raise TypeError("first_of takes at least one argument; write first_of(tokens, users)")
    for each in authenticates:
        check_authenticate("each argument of first_of", each)

    async def authenticate(credentials: Credentials) -> Principal | None:
        refusal: Unauthorized | None = None
        for each in authenticates:
            try:
                principal = await each(credentials)
            except Unauthorized as exc:
                refusal = refusal or exc
            else:
                if principal is not None:
                    return principal
        if refusal is not None:
            raise refusal
        return None

    return authenticate


def _check_roles(roles: object) -> None:
    """Check the roles of users; a str would pass for a set of its letters."""
    write = 'roles={"ada": {"admin"}}'
    check_instance("roles=", roles, Mapping, "a mapping from names to sets of roles", write)
    for name, each in cast("Mapping[object, object]", roles).items():
        check_text("each key of roles=", name, write=write, may_be_empty=True)
        check_texts(f"roles={{{name!r}: ...}}", each, "a set of names", '{"admin"}', brackets="{}")


def _check_tokens(principals: object) -> None:
    """Check principals by token, showing no token."""
    write = '{"a long and random text": Principal("ada")}'
    takes = "a mapping from tokens to principals"
    check_instance("principals", principals, Mapping, takes, write)
    for token, each in cast("Mapping[object, object]", principals).items():
        if not isinstance(token, str):
            raise TypeError(f"each key of principals takes a str, not {kind_of(token)}")
        check_instance("each value of principals", each, Principal, "a farcall.Principal", write)


def _read_hash_of(name: str, text: str) -> _Stored:
    try:
        return _Stored.read(text)
    except ValueError as exc:
        raise ValueError(f"hashes[{name!r}]: {exc}") from None


def _check_prices(stored: Mapping[str, _Stored]) -> None:
    """Refuse hashes of several prices: that of an unknown name can have only one."""
    first = next(iter(stored), None)
    for name, each in stored.items():
        if first is not None and each.price != stored[first].price:
            raise ValueError(
                f"the hashes of {first!r} and {name!r} have different parameters, so the time of a"
                " login would reveal which names are known; make all with the same parameters"
            )


def _principals(
    names: Set[str] | Mapping[str, object],
    roles: Mapping[str, Set[str]],
    expires_after: float | None,
) -> dict[str, Principal]:
    unknown = sorted(set(roles) - set(names))
    if unknown:
        raise ValueError(f"roles= has {', '.join(unknown)}, for whom hashes has no hash")
    return {name: Principal(name, frozenset(roles.get(name, ())), expires_after) for name in names}


def _name_and_password(login: Any) -> tuple[str, str] | None:
    match login:
        case {"name": str() as name, "password": str() as password, **rest} if not rest:
            return name, password
        case [str() as name, str() as password]:
            return name, password
        case _:
            return None


def _token_of_login(login: Any) -> str | None:
    match login:
        case {"token": str() as token, **rest} if not rest:
            return token
        case [str() as token]:
            return token
        case _:
            return None


def _token_of_header(header: str) -> str | None:
    scheme, _, token = header.partition(" ")
    # RFC 9110, section 5.6.3: only these are white space; `strip()` would accept more tokens.
    return token.strip(" \t") if scheme.lower() == "bearer" else None


def _bytes(text: str) -> bytes:
    """Encode any str; no two give the same bytes."""
    return text.encode("utf-8", "surrogatepass")
