"""Calling the peer of one link: methods, streams, uploads, remote tasks and subscriptions."""

from farcall._caller.caller import LinkCaller
from farcall._caller.contracts import ContractCheck
from farcall._caller.proxies import contract_of
from farcall._caller.subscriber import Subscriber

__all__ = ["ContractCheck", "LinkCaller", "Subscriber", "contract_of"]
