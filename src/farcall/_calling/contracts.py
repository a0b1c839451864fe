"""Comparing the stubs that are used over one link with the contracts of its peer.

The hello has a digest of each contract. If a stub has another digest, the peer is asked for its
contracts by ``rpc.discover``, once for each set of digests, and the two are compared: most changes
of a service break no caller.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, TypeAlias

import msgspec
import trio
from msgspec import Raw, Struct, field
from msgspec.structs import replace

from farcall._calling.proxy import contract_of, needs_of
from farcall._connection.call import RemoteFailure
from farcall._connection.link import Link
from farcall._contract.digest import digest
from farcall._contract.document import parse_document
from farcall._contract.form_reading import BadDocument
from farcall._contract.needs import Unmet, unmet_needs
from farcall._contract.spec import ServiceSpec
from farcall._declare import Method
from farcall._failures import error_of
from farcall._protocol.framing import shown
from farcall.errors import ContractMismatch, ErrorCode, FarcallError, RpcError

logger = logging.getLogger("farcall")

ContractCheck: TypeAlias = Literal["warn", "strict"]
"""What to do about a stub whose calls can fail, because it was made for another contract."""

MAX_CACHED: Final = 64
"""Contracts that are cached for other links to servers that have them."""

MAX_CACHED_BYTES: Final = 256 * 1024
"""Of the document of a contract that is cached: a peer chooses its size."""

MAX_BYTES: Final = 512 * 1024
"""Of the document of a contract: parsing one blocks all tasks, for seconds if it is larger. It is
enough for a thousand methods."""

MAX_NAMED: Final = 10
"""Members that one message names."""

MAX_TEXT: Final = 500
"""Characters of a peer's text about one member."""

_CONTRACT_CODES = frozenset({ErrorCode.METHOD_NOT_FOUND, ErrorCode.INVALID_PARAMS})
"""The errors of a call that does not match the contract of the peer."""

Offer: TypeAlias = Sequence[ServiceSpec]
"""The contracts of a peer."""


class _Document(msgspec.Struct):
    """An OpenRPC document; farcall reads the member with the contracts alone."""

    contracts: Raw = msgspec.field(name="x-farcall")


_document = msgspec.json.Decoder(_Document)


class KnownContracts(Struct):
    """Contracts by digest. Digests are computed here, so no peer can give one a wrong digest."""

    _specs: OrderedDict[str, ServiceSpec] = field(default_factory=OrderedDict[str, ServiceSpec])

    def __len__(self) -> int:
        return len(self._specs)

    def add(self, specs: Iterable[ServiceSpec]) -> None:
        """Add contracts, and remove the least recently used beyond `MAX_CACHED`."""
        for spec in specs:
            self._specs[digest(spec)] = spec
        while len(self._specs) > MAX_CACHED:
            self._specs.popitem(last=False)

    def find(self, digests: Iterable[str]) -> Offer:
        """Return those with these digests, as far as they are known."""
        found: list[ServiceSpec] = []
        for each in digests:
            if each in self._specs:
                self._specs.move_to_end(each)
                found.append(self._specs[each])
        return found


KNOWN: Final = KnownContracts()
"""Contracts of all peers of this process."""


class Contracts(Struct, eq=False):
    """The contracts of the peer of one link, and how the stubs used here compare.

    Args:
        link: To the peer.
        check: What to do about a stub whose calls can fail.
        name: Of the peer, for the log.
    """

    _link: Link
    _check: ContractCheck
    _name: str
    _offer: Offer | None = None
    _problem: str | None = None
    """Why the contracts of the peer could not be read."""
    _lock: trio.Lock = field(default_factory=trio.Lock)
    _judged: dict[type[object], str | None] = field(default_factory=dict[type[object], str | None])
    """The problem of each stub with another contract; None if no call of it fails."""
    _members: dict[str, str] = field(default_factory=dict[str, str])
    """The hint for an error of each member of these stubs."""

    # Comparing

    async def prepare(
        self, proxy: type[object] | None, seconds: float, *, has_others: bool = False
    ) -> None:
        """Ask the peer for its contracts, if a comparison needs them.

        Args:
            proxy: The stub that is about to be used; None if not known yet.
            seconds: How long to wait; after that the contracts count as unknown.
            has_others: Whether other stubs may be used later, in places that cannot wait.
        """
        differs = proxy is not None and self._differs(proxy) and self._known(proxy) is None
        is_needed = self._check == "strict" and (proxy is None or has_others)
        if self._link.protocol.peer is None or not (differs or is_needed):
            return
        with trio.move_on_after(seconds) as scope:
            await self._ask()
        if scope.cancelled_caught and self._offer is None:
            self._problem = f"no response to rpc.discover in {seconds:g} s"

    def compare(self, proxy: type[object]) -> None:
        """Warn, or raise, if calls of a stub can fail.

        If the peer has not been asked yet, a task asks it, and then warns.

        Raises:
            ContractMismatch: the check is strict, and calls can fail, or that is unknown.
        """
        if not self._differs(proxy):
            return
        if proxy in self._judged:
            self._refuse(self._judged[proxy])
        elif self._check == "warn" and self._known(proxy) is None and self._problem is None:
            self._judged[proxy] = None  # one task is enough
            self._link.start_soon(self._compare_later, proxy)
        else:
            self._judge(proxy)

    async def _compare_later(self, proxy: type[object]) -> None:
        await self._ask()
        if not self._link.is_closed:
            self._judge(proxy)

    def _differs(self, proxy: type[object]) -> bool:
        """Tell whether the digest of a stub is not among those of the peer.

        A hand-written proxy has no digest, and no contract. Nor has a plain peer.
        """
        hello = self._link.protocol.peer
        ((name, own),) = contract_of(proxy).items()
        return hello is not None and own != "" and own not in hello.contracts.get(name, "").split()

    def _judge(self, proxy: type[object]) -> None:
        offer = self._known(proxy)
        ((service, _),) = contract_of(proxy).items()
        stub = f"the stub of {service or proxy.__name__}"
        needs = tuple(needs_of(proxy))
        names = [each for spec in needs for each in _names(spec)]
        for name in names:
            self._members.setdefault(name, f"{stub} was made for another contract")
        if offer is None:
            hello = self._link.protocol.peer
            assert hello is not None
            theirs = "has another contract" if service in hello.contracts else "does not offer it"
            problem: str | None = (
                f"{stub} does not match this server, which {theirs}, and the contract of the server"
                f" is not known ({self._problem or 'it was not asked'}); calls may fail"
            )
        else:
            unmet = [each for spec in needs for each in _unmet(spec, offer)]
            self._members |= {
                each.member: f"{stub} was made for another contract: {_one_line(each)}"
                for each in unmet
            }
            problem = _problem_of(stub, service, names, unmet)
        self._judged[proxy] = problem
        if problem is not None and self._check == "warn":
            logger.warning("%s: %s; generate the stub again", self._name, problem)
        self._refuse(problem)

    def _refuse(self, problem: str | None) -> None:
        if problem is not None and self._check == "strict":
            raise ContractMismatch(f"{problem}; generate the stub again")

    # Asking

    def _known(self, proxy: type[object]) -> Offer | None:
        """Return the contracts that a stub needs, if the peer has sent them over any link."""
        hello = self._link.protocol.peer
        if self._offer is not None or hello is None:
            return self._offer
        ((service, _),) = contract_of(proxy).items()
        offer = KNOWN.find(hello.contracts.get(service, "").split())
        offered = {name for spec in offer for name in _names(spec)}
        # A member that is missing there may be part of another service.
        has_all = all(name in offered for spec in needs_of(proxy) for name in _names(spec))
        return offer if offer and has_all else None

    async def _ask(self) -> None:
        """Ask the peer for its contracts, once."""
        async with self._lock:
            if self._offer is not None or self._problem is not None:
                return
            try:
                text = await self._link.calls.call("rpc.discover", None)
                if len(text) > MAX_BYTES:
                    raise BadDocument("", f"it has {len(text)} bytes; at most {MAX_BYTES} are read")
                contracts = _document.decode(text).contracts
                self._offer = parse_document(bytes(contracts))
            except RemoteFailure as failure:
                self._problem = shown(str(error_of(failure, name="rpc.discover")))
            except (FarcallError, BadDocument, msgspec.MsgspecError, RecursionError) as error:
                self._problem = _one_line(f"rpc.discover: {error}")
            else:
                if len(text) <= MAX_CACHED_BYTES:
                    KNOWN.add(self._offer)

    # Failing

    def error_of(
        self, failure: RemoteFailure, method: Method | None = None, *, name: str
    ) -> Exception:
        """Make the exception for an error of the peer, with a hint if the contracts differ.

        Args:
            failure: As it came.
            method: The method of the stub, whose errors arrive as themselves; None without a stub.
            name: Of the call, or the signal.
        """
        is_plain = not self._link.protocol.is_greeted
        error = error_of(failure, method, name=name, is_plain=is_plain)
        if isinstance(error, RpcError) and error.code in _CONTRACT_CODES:
            error.contract = self._members.get(name)
        return error


def _unmet(spec: ServiceSpec, offer: Offer) -> tuple[Unmet, ...]:
    """Compare with the service of the peer that has most of the names, unique on one path."""
    names = set(_names(spec))
    nothing = ServiceSpec(spec.name, "", (), (), ())
    server = max(offer, key=lambda each: len(names.intersection(_names(each))), default=nothing)
    keys = {each.wire_name: each.key for each in server.signals}
    # A stub has the type of a key, and not its name.
    signals = tuple(
        each
        if each.key_type is None or each.key is not None
        else replace(each, key=keys.get(each.wire_name) or "key")
        for each in spec.signals
    )
    return unmet_needs(replace(spec, signals=signals), server)


def _names(spec: ServiceSpec) -> Iterator[str]:
    yield from (each.wire_name for each in spec.methods)
    yield from (each.wire_name for each in spec.signals)


def _problem_of(
    stub: str, service: str, names: Sequence[str], unmet: Sequence[Unmet]
) -> str | None:
    """Say which members can fail; None if none can."""
    if not unmet:
        return None
    is_gone = all(
        any(
            change.path == each.member and change.message == "was removed"
            for change in each.changes
        )
        for each in unmet
    )
    if is_gone and len(unmet) == len(names):
        return f"{stub} does not match this server, which does not offer {service or 'its members'}"
    named = "; ".join(map(_one_line, unmet[:MAX_NAMED]))
    rest = len(unmet) - MAX_NAMED
    more = f"; and {rest} more" if rest > 0 else ""
    return f"{stub} does not match this server's contract, so calls can fail: {named}{more}"


def _one_line(found: object) -> str:
    """Write a text of a peer in one line; a name in it may hold any character."""
    text = str(found)
    cut = text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}..."
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in cut)
