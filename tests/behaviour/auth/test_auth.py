"""The logins of `farcall.auth`: their cost is checked by counting hashes, not by timing."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from typing import Any

import pytest

from farcall import ConnectFailed, Credentials, Principal, Unauthorized, auth, service
from farcall.testing import open_pair

CHEAP: dict[str, Any] = {"cost": 2, "block_size": 1, "parallelism": 1}
ENIGMA = auth.hash_password("enigma", **CHEAP)


@pytest.fixture
def users() -> auth.StaticUsers:
    return auth.StaticUsers(
        {"ada": ENIGMA, "bob": auth.hash_password("Straße", **CHEAP)},
        roles={"ada": {"trader"}},
        expires_after=60,
    )


class Counter:
    """Count the calls of a function of a module."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
        self.calls = 0
        self.options: list[dict[str, Any]] = []
        self._function = getattr(module, name)
        monkeypatch.setattr(module, name, self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        self.options.append(kwargs)
        return self._function(*args, **kwargs)


def test_a_hash_holds_its_parameters() -> None:
    """A hash holds its parameters and a salt; the defaults are those that OWASP recommends."""
    stored = auth.hash_password("enigma")

    assert stored.startswith("scrypt$16384$8$5$")
    assert auth.verify_password("enigma", stored)
    assert not auth.verify_password("enigm", stored)
    assert auth.hash_password("enigma", **CHEAP) != ENIGMA


def test_one_letter_written_in_two_ways_is_one() -> None:
    """A password matches whether its accents are typed as one code point or two."""
    stored = auth.hash_password("caf\u00e9", **CHEAP)

    assert auth.verify_password("cafe\u0301", stored)
    assert not auth.verify_password("cafe", stored)


EQUIVALENTS = [
    "enigma\0",
    "enigma\0\0\0",
    "\0enigma",
    "en\0igma",
    "enigma ",
    " enigma",
    "enigma\n",
    "enigma\t",
    "enigma\xa0",
    "enigma\u200b",
    "\ufeffenigma",
    "Enigma",
    "ENIGMA",
    "enigm",
    "enigmaa",
    "\uff45\uff4e\uff49\uff47\uff4d\uff41",
    "en\u0131gma",
    "enigma\u0301",
    "\u0435nigma",
    "enigma\ud800",
    "ZW5pZ21h",
    "",
    "\0",
]
"""Texts that some system takes for "enigma": padded, cut, folded, encoded or compatible ones."""


@pytest.mark.parametrize("password", EQUIVALENTS)
async def test_a_password_is_taken_as_it_is(users: auth.StaticUsers, password: str) -> None:
    """A password that only resembles the right one is refused."""
    assert not auth.verify_password(password, ENIGMA)
    assert await users(Credentials(login=["ada", password])) is None
    assert await users(Credentials(login={"name": "ada", "password": password})) is None


def test_each_equivalent_is_another_text() -> None:
    """The list of lookalikes does not contain the password itself."""
    assert "enigma" not in EQUIVALENTS
    assert auth.verify_password("enigma", ENIGMA)


@pytest.mark.parametrize("length", [63, 64, 65, 72, 73, 128, 255, 256, 1024])
def test_no_length_is_cut(length: int) -> None:
    """Every byte of a password counts, beyond the lengths at which other hashes cut it."""
    password = "x" * length
    stored = auth.hash_password(password, **CHEAP)

    assert auth.verify_password(password, stored)
    for other in (password[:-1], password[:-1] + "y", password[:-1] + "\0", password + "\0"):
        assert not auth.verify_password(other, stored)


@pytest.mark.parametrize("name", ["ada\0", "ada ", "Ada", "ADA", " ada", "a\u0064a\u200b", ""])
async def test_a_name_is_taken_as_it_is(users: auth.StaticUsers, name: str) -> None:
    """A user name that only resembles a known one is refused."""
    assert await users(Credentials(login=[name, "enigma"])) is None


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("", "has at least one character"),
        ("x" * 1025, "has at most 1024 bytes"),
        ("ü" * 513, "has at most 1024 bytes"),
        ("enigma\0", "no control characters, such as NUL"),
        ("enigma\n", "no control characters"),
        ("enigma\x85", "no control characters"),
    ],
)
def test_a_password_that_cannot_be_typed_is_refused(password: str, problem: str) -> None:
    """Hashing refuses an empty, too long or control-character password without showing it."""
    with pytest.raises(ValueError, match=problem) as caught:
        auth.hash_password(password, **CHEAP)

    assert "enigma" not in str(caught.value)


def test_a_password_is_a_text() -> None:
    """Hashing or verifying a password that is bytes raises TypeError."""
    with pytest.raises(TypeError, match="a password is a str, not bytes"):
        auth.hash_password(b"enigma")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a password is a str, not bytes"):
        auth.verify_password(b"enigma", ENIGMA)  # type: ignore[arg-type]


ACCENTS = "\u0301" * 120_000 + "\u0323" * 120_000
"""480 kB whose accents take 40 s to normalise, with the GIL held: sorting them is quadratic."""


@pytest.mark.parametrize("login", [["ada", ACCENTS], [ACCENTS, "enigma"], [ACCENTS, ACCENTS]])
async def test_a_long_text_costs_nothing(
    users: auth.StaticUsers, login: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name or password over 1,024 bytes is refused before it is normalised or hashed."""
    hashes = Counter(monkeypatch, hashlib, "scrypt")
    normal_forms = Counter(monkeypatch, unicodedata, "normalize")

    assert await users(Credentials(login=login)) is None
    assert not auth.verify_password(login[1] * 200, ENIGMA)
    with pytest.raises(ValueError, match="1024"):
        auth.hash_password(login[1] * 200, **CHEAP)
    assert hashes.calls == normal_forms.calls == 0


def test_a_name_has_a_length() -> None:
    """A user name of more than 1,024 bytes is refused when the users are declared."""
    with pytest.raises(ValueError, match="a name has at most 1024 bytes"):
        auth.StaticUsers({"x" * 1025: ENIGMA})
    auth.StaticUsers({"x" * 1024: ENIGMA})


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "enigma",
        "scrypt$2$1$1$AAAA",
        "scrypt$2$1$x$AAAA$AAAA",
        "scrypt$2$1$1$AAA$AAAA",
        "scrypt$2$1$1$$AAAA",
        "scrypt$2$1$1$AAAA$",
        "bcrypt$2$1$1$AAAA$AAAA",
        "scrypt$3$1$1$AAAA$AAAA",
        "scrypt$2$-1$1$AAAA$AAAA",
        f"scrypt${2**30}$8$1$AAAA$AAAA",
    ],
)
def test_a_malformed_hash_is_refused(stored: str) -> None:
    """A malformed stored hash is refused, and the error names the user."""
    with pytest.raises(ValueError, match="a stored hash"):
        auth.verify_password("enigma", stored)
    with pytest.raises(ValueError, match=r"hashes\['ada'\]: a stored hash"):
        auth.StaticUsers({"ada": stored})


def test_roles_are_those_of_users() -> None:
    """Roles for an unknown user are refused."""
    with pytest.raises(ValueError, match="adda"):
        auth.StaticUsers({"ada": ENIGMA}, roles={"adda": {"trader"}})


@pytest.mark.parametrize("login", [["ada", "enigma"], {"name": "ada", "password": "enigma"}])
async def test_a_user_is_known(users: auth.StaticUsers, login: Any) -> None:
    """A login by position or by name gives the user's principal."""
    known = Principal("ada", {"trader"}, expires_after=60)

    assert await users(Credentials(login=login)) == known


@pytest.mark.parametrize(
    "login",
    [
        None,
        [],
        {},
        "ada",
        ["ada"],
        ["ada", None],
        ["ada", "enigma", ""],
        {"name": "ada"},
        {"name": ["ada"], "password": "enigma"},
        {"name": "ada", "password": "enigma", "more": 1},
    ],
)
async def test_a_malformed_login_costs_no_hash(
    users: auth.StaticUsers, login: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A login of the wrong shape fails without a hash."""
    hashes = Counter(monkeypatch, hashlib, "scrypt")

    assert await users(Credentials(login=login)) is None
    assert hashes.calls == 0


@pytest.mark.parametrize("login", [["ada", "guess"], ["eve", "enigma"], ["bob", "\ud800"]])
async def test_a_wrong_name_costs_what_a_wrong_password_does(
    users: auth.StaticUsers, login: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong name and a wrong password each cost one hash and one comparison."""
    hashes = Counter(monkeypatch, hashlib, "scrypt")
    comparisons = Counter(monkeypatch, hmac, "compare_digest")

    assert await users(Credentials(login=login)) is None
    assert hashes.calls == comparisons.calls == 1


async def test_a_hash_is_made_alike_for_every_name(
    users: auth.StaticUsers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every login is hashed with the same parameters, also for an unknown name."""
    hashes = Counter(monkeypatch, hashlib, "scrypt")
    for name in ("ada", "bob", "eve"):
        await users(Credentials(login=[name, "guess"]))

    costs = [{key: each[key] for key in ("n", "r", "p", "dklen")} for each in hashes.options]
    assert costs == [{"n": 2, "r": 1, "p": 1, "dklen": 32}] * 3
    assert len({len(each["salt"]) for each in hashes.options}) == 1


@pytest.mark.parametrize("other", [{"cost": 4}, {"block_size": 2}, {"parallelism": 2}])
def test_hashes_that_cost_differently_are_refused(other: dict[str, Any]) -> None:
    """Users whose hashes cost differently are refused, because timing would reveal their names."""
    dear = auth.hash_password("enigma", **CHEAP | other)

    auth.StaticUsers({"ada": dear, "bob": dear})
    with pytest.raises(ValueError, match="'ada' and 'bob' have different parameters"):
        auth.StaticUsers({"ada": ENIGMA, "eve": ENIGMA, "bob": dear})


async def test_a_login_fails_without_users() -> None:
    """Without users, every login fails."""
    assert await auth.StaticUsers({})(Credentials(login=["ada", "enigma"])) is None


@pytest.fixture
def tokens() -> auth.BearerTokens:
    return auth.BearerTokens({"t-ada": Principal("ada"), "t-bob": Principal("bob")})


@pytest.mark.parametrize("login", [["t-bob"], {"token": "t-bob"}])
async def test_a_token_in_a_login(tokens: auth.BearerTokens, login: Any) -> None:
    """A token in a login, by position or by name, counts instead of the one in the header."""
    headers = {"authorization": "Bearer t-ada"}

    assert await tokens(Credentials(headers, login=login)) == Principal("bob")
    for wrong in (["t"], [], ["t-bob", 1], {"token": 1}, {"token": "t-bob", "more": 1}, ["\ud800"]):
        assert await tokens(Credentials(headers, login=wrong)) is None


@pytest.mark.parametrize("token", ["t-ada\0", "t-ada ", " t-ada", "T-ADA", "t-ada\n", "t-ada=", ""])
async def test_a_token_is_taken_as_it_is(tokens: auth.BearerTokens, token: str) -> None:
    """A token in a login that only resembles a known one is refused."""
    assert await tokens(Credentials(login=[token])) is None
    assert await tokens(Credentials(login={"token": token})) is None


@pytest.mark.parametrize("padding", ["\xa0", "\x85", "\x0b", "\x1c", ",", ", Bearer t-ada"])
async def test_a_token_of_a_header_is_taken_as_it_is(
    tokens: auth.BearerTokens, padding: str
) -> None:
    """Only the white space that HTTP knows is stripped from the token of a header."""
    with pytest.raises(Unauthorized):
        await tokens(Credentials({"authorization": f"Bearer t-ada{padding}"}))


@pytest.mark.parametrize("token", [" t-ada", "t-ada\n"])
def test_a_token_has_no_white_space_at_its_ends(token: str) -> None:
    """A token that begins or ends with white space is refused when it is declared."""
    with pytest.raises(ValueError, match=r"must not begin or end with white space"):
        auth.BearerTokens({token: Principal("ada")})


@pytest.mark.parametrize("header", ["Bearer t-ada", "bearer  t-ada "])
async def test_a_token_in_the_handshake(tokens: auth.BearerTokens, header: str) -> None:
    """A token in the header `Authorization: Bearer` gives its principal."""
    assert await tokens(Credentials({"authorization": header})) == Principal("ada")


async def test_without_a_token(tokens: auth.BearerTokens) -> None:
    """A client without a bearer token has no principal; one with a wrong token is refused."""
    assert await tokens(Credentials()) is None
    assert await tokens(Credentials({"authorization": "Basic YTpi"})) is None
    for header in ("Bearer t-eve", "Bearer", "Bearer t-adaa"):
        with pytest.raises(Unauthorized):
            await tokens(Credentials({"authorization": header}))


async def test_a_token_is_compared_with_all(
    tokens: auth.BearerTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token is compared with every known token, so that timing does not reveal the match."""
    comparisons = Counter(monkeypatch, hmac, "compare_digest")

    await tokens(Credentials(login=["t-ada"]))
    assert comparisons.calls == 2


def test_an_empty_token_is_refused() -> None:
    """An empty token is refused when it is declared."""
    with pytest.raises(ValueError, match="empty"):
        auth.BearerTokens({"": Principal("ada")})


async def test_first_of(users: auth.StaticUsers, tokens: auth.BearerTokens) -> None:
    """`first_of` accepts a client that any of its logins accepts, in either order."""
    for both in (auth.first_of(users, tokens), auth.first_of(tokens, users)):
        assert await both(Credentials(login=["t-ada"])) == Principal("ada")
        known = await both(Credentials(login=["ada", "enigma"]))
        assert known is not None
        assert known.roles == {"trader"}
        assert await both(Credentials(login=["ada", "guess"])) is None
        with pytest.raises(Unauthorized):
            await both(Credentials({"authorization": "Bearer t-eve"}))

    async def everybody(_: Credentials) -> Principal | None:
        return Principal("anybody")

    late = auth.first_of(tokens, everybody)
    assert await late(Credentials({"authorization": "Bearer t-eve"})) == Principal("anybody")


def test_nothing_secret_is_shown(users: auth.StaticUsers, tokens: auth.BearerTokens) -> None:
    """The repr of users and tokens shows neither hashes nor tokens."""
    assert repr(users) == "<StaticUsers: 2>"
    assert repr(tokens) == "<BearerTokens: 2>"


@service(name="", protected=True)
class Vault:
    async def look(self) -> str:
        return "gold"


async def test_over_a_link(users: auth.StaticUsers, tokens: auth.BearerTokens) -> None:
    """A server with `first_of` accepts a password login or a token, and refuses a wrong token."""
    both = auth.first_of(users, tokens)
    for options in ({"login": ["ada", "enigma"]}, {"headers": {"Authorization": "Bearer t-ada"}}):
        async with open_pair(Vault(), Vault, authenticate=both, **options) as (vault, _):
            assert await vault.look() == "gold"
    with pytest.raises(ConnectFailed, match="401"):
        async with open_pair(Vault(), authenticate=both, headers={"Authorization": "Bearer x"}):
            pytest.fail("it was let in")
