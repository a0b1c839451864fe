"""The cache of contracts, and what a stub needs of a service."""

from __future__ import annotations

from examples.market.service import Market
from farcall._calling import contracts
from farcall._calling.proxy import needs_of
from farcall._contract.digest import digest
from farcall._contract.needs import unmet_needs
from farcall._contract.spec import ServiceSpec
from farcall._declare import service_of
from stubs.market import MarketProxy


def test_no_more_contracts_are_kept_than_have_room() -> None:
    """The cache of contracts drops the one whose use is longest ago."""
    known = contracts.KnownContracts()
    specs = [ServiceSpec(f"S{n}", "S", (), (), ()) for n in range(contracts.MAX_CACHED + 1)]
    known.add(specs[:-1])
    assert list(known.find([digest(specs[0])])) == [specs[0]]
    known.add(specs[-1:])

    assert len(known) == contracts.MAX_CACHED
    assert list(known.find([digest(specs[0])])) == [specs[0]]
    assert list(known.find([digest(specs[1])])) == []


def test_a_generated_stub_needs_what_its_service_offers() -> None:
    """A generated stub needs every member of its service, and finds each one."""
    spec = service_of(Market).spec
    needs = list(needs_of(MarketProxy))

    assert [unmet_needs(each, spec) for each in needs] == [()] * len(needs)
    assert sorted(member for each in needs for member in members(each)) == sorted(members(spec))


def members(spec: ServiceSpec) -> list[str]:
    return [*(each.wire_name for each in spec.methods), *(each.wire_name for each in spec.signals)]
