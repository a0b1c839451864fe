"""Ready-made answers to the question who a peer is, for ``serve(authenticate=...)``.

Secrets are compared by `hmac.compare_digest` alone, and a name that nobody has costs the same one
hash as a wrong password, so that neither time nor anything else tells which of the two it was.
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
"""For scrypt (RFC 7914), as OWASP advises where memory is short: 16 MiB and about 0.2 s a hash."""

MAX_MEMORY: Final = 256 * 1024 * 1024
"""Bytes that the parameters of a stored hash may ask for; eight logins may run at a time."""

SALT_BYTES: Final = 16
HASH_BYTES: Final = 32

MAX_BYTES: Final = 1024
"""Of a name, and of a password, in UTF-8. Nobody types more, and the time that it takes to
normalise a text grows with the square of its length: 40 s for 480 kB of accents, in which nothing
else runs."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
"""RFC 8265, section 4.2: no password has a control character. One that ends with NUL characters
would match the hash of the same without them: HMAC, below scrypt, fills up its key with those."""

NO_PARTS: Final = "a stored hash is scrypt$cost$block size$parallelism$salt$hash, in base64"


@attrs.frozen
class _Stored:
    """A password as it is kept: how it was hashed, and what came out."""

    cost: int
    block_size: int
    parallelism: int
    salt: bytes = attrs.field(repr=False)
    hash: bytes = attrs.field(repr=False)

    @classmethod
    def read(cls, text: str) -> _Stored:
        """Read what `render` wrote.

        Raises:
            ValueError: it is something else, or asks for more memory than any login may have.
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
        """Write it as one text."""
        numbers = (str(each) for each in (self.cost, self.block_size, self.parallelism))
        texts = (base64.b64encode(each).decode() for each in (self.salt, self.hash))
        return "$".join(["scrypt", *numbers, *texts])

    @property
    def price(self) -> tuple[int, ...]:
        """What a hash like this one costs, in time and memory: the same for the same numbers."""
        return self.cost, self.block_size, self.parallelism, len(self.salt), len(self.hash)

    @property
    def memory(self) -> int:
        """The bytes that the hash takes, as OpenSSL counts them."""
        return 128 * self.block_size * (self.cost + self.parallelism + 2)

    def hash_of(self, password: str) -> bytes:
        """Hash a password as this one was."""
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
        """Make one that costs the same, and that no password matches."""
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
            character counts, spaces and upper case too. It is normalised to NFC, for keyboards
            write one letter in several ways.
        cost: Of scrypt, a power of two.
        block_size: Of scrypt; 128 times `cost` times this is the memory in bytes.
        parallelism: Of scrypt; the time grows with it, and the memory does not.

    Returns:
        A text that holds these parameters, a new salt, and the hash.

    Raises:
        TypeError: the password is no str, or a parameter no int.
        ValueError: the password is not as described, or scrypt does not take these parameters.

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
    """Say whether `stored` is the hash of a password; takes as long as it took to make.

    What `hash_password` refuses is not, and takes no time.

    Raises:
        TypeError: one of them is no str.
        ValueError: `stored` is not what `hash_password` gives.
    """
    check_text("stored", stored, may_be_empty=True)
    known = _Stored.read(stored)
    return _problem(password) is None and _matches(known, password)


def _problem(password: object) -> str | None:
    """Say why a text cannot be a password, or None where it can; this costs next to nothing."""
    if not isinstance(password, str):
        raise TypeError(f"a password is a text, not {type(password).__name__}")
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


class StaticUsers:
    """Know some users by name and password: ``serve(..., authenticate=StaticUsers(hashes))``.

    A login is ``{"name": ..., "password": ...}`` or ``[name, password]``. In the handshake
    everybody is let in, as nobody.

    Names are compared character by character. A name or a password that is longer than 1,024 bytes,
    and a password that `hash_password` refuses, fails before anything is done with it.

    Args:
        hashes: What `hash_password` gave, by the name of the user.
        roles: The roles of a user, by name.
        expires_after: Seconds that a login holds; None for the life of the connection.

    Raises:
        TypeError: an argument is of another type; names it.
        ValueError: a hash is none, two were made with different parameters, so that the time of a
            login would tell who is known, a name is too long, or roles are given to a user whom
            nobody knows.

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
        self._nobody = _Stored(COST, BLOCK_SIZE, PARALLELISM, b" " * SALT_BYTES, b" " * HASH_BYTES)
        self._nobody = (some or self._nobody).unmatched()

    def __repr__(self) -> str:
        return f"<StaticUsers: {len(self._stored)}>"

    async def __call__(self, credentials: Credentials) -> Principal | None:
        """Tell who logs in; the hash is made in a thread.

        Cancellation:
            Cancelled, it waits for the thread, which cannot be stopped.
        """
        login = _name_and_password(credentials.login)
        if login is None:
            return None
        name, password = login
        if _is_too_long(name) or _problem(password) is not None:
            return None
        stored = self._stored.get(name, self._nobody)
        is_right = await trio.to_thread.run_sync(_matches, stored, password)
        return self._principals.get(name) if is_right else None


class BearerTokens:
    """Know some peers by a token: ``serve(..., authenticate=BearerTokens(principals))``.

    A token comes in the handshake, as ``Authorization: Bearer ...``, where a wrong one is refused
    with 401; or by a login, ``{"token": ...}`` or ``[token]``. Who brings none is nobody.

    Each is compared with all of them, so they should not be more than some hundreds.

    Args:
        principals: By token; a token is long and random, as from ``secrets.token_urlsafe()``.

    Raises:
        TypeError: it is no mapping from texts to principals.
        ValueError: a token is empty, or white space stands at one of its ends, which no header
            can bring.

    >>> tokens = BearerTokens({"a long and random text": Principal("ada")})
    >>> trio.run(tokens, Credentials(login=["a long and random text"])).name
    'ada'
    """

    def __init__(self, principals: Mapping[str, Principal]) -> None:
        _check_tokens(principals)
        if "" in principals:
            raise ValueError("principals has an empty token, which anybody could send")
        if any(token != token.strip() for token in principals):
            raise ValueError("a token has no white space at its ends; strip() what a file holds")
        self._principals = {_bytes(token): each for token, each in principals.items()}

    def __repr__(self) -> str:
        return f"<BearerTokens: {len(self._principals)}>"

    async def __call__(self, credentials: Credentials) -> Principal | None:
        """Tell whose token it is.

        Raises:
            Unauthorized: a handshake brings one that nobody has.
        """
        if credentials.login is not None:
            return self._find(_token_of_login(credentials.login))
        token = _token_of_header(credentials.headers.get("authorization", ""))
        principal = self._find(token)
        if token is not None and principal is None:
            raise Unauthorized("nobody has this token")
        return principal

    def _find(self, token: str | None) -> Principal | None:
        if token is None:
            return None
        given, found = _bytes(token), None
        for known, principal in self._principals.items():
            # All of them, and to the end: how long it takes tells nothing about any.
            if hmac.compare_digest(known, given):
                found = principal
        return found


def first_of(*authenticates: Authenticate) -> Authenticate:
    """Ask several, one after the other; the first one who knows the peer counts.

    Args:
        authenticates: Such as a `BearerTokens` and a `StaticUsers`.

    Returns:
        What `farcall.serve` takes. It raises `Unauthorized` where one of them does, and no other
        one knows the peer.

    Raises:
        TypeError: there is none, or one is no async function of the credentials.

    >>> robots, guests = (BearerTokens({name: Principal(name)}) for name in ("robot", "guest"))
    >>> trio.run(first_of(robots, guests), Credentials(login=["guest"])).name
    'guest'
    """
    if not authenticates:
        raise TypeError("first_of takes one or several to ask; write first_of(tokens, users)")
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
    """Check the roles of users; a text would be taken for a set of its letters."""
    write = 'roles={"ada": {"admin"}}'
    check_instance("roles=", roles, Mapping, "a mapping from names to sets of roles", write)
    for name, each in cast("Mapping[object, object]", roles).items():
        check_text("each key of roles=", name, write=write, may_be_empty=True)
        check_texts(f"roles={{{name!r}: ...}}", each, "a set of names", '{"admin"}', brackets="{}")


def _check_tokens(principals: object) -> None:
    """Check principals by token, without showing a token."""
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
    """Refuse hashes that do not cost the same: the one that nobody has can be like one of them."""
    first = next(iter(stored), None)
    for name, each in stored.items():
        if first is not None and each.price != stored[first].price:
            raise ValueError(
                f"the hashes of {first!r} and {name!r} cost differently, so the time of a login"
                " would tell who is known; make all of them with the same parameters"
            )


def _principals(
    names: Set[str] | Mapping[str, object],
    roles: Mapping[str, Set[str]],
    expires_after: float | None,
) -> dict[str, Principal]:
    unknown = sorted(set(roles) - set(names))
    if unknown:
        raise ValueError(f"roles are given to {', '.join(unknown)}, who has no hash")
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
    # RFC 9110, section 5.6.3: white space is these two. `str.strip` would make one token of many.
    return token.strip(" \t") if scheme.lower() == "bearer" else None


def _bytes(text: str) -> bytes:
    """Encode a text that came from somewhere; no two texts give the same bytes."""
    return text.encode("utf-8", "surrogatepass")
