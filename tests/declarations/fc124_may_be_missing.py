"""Every value has a key: a field that may be missing is none."""

from typing import TypedDict

from farcall import Signal, service


class Reading(TypedDict, total=False):
    sensor: str
    celsius: float


@service
class Lab:
    read: Signal[Reading] = Signal(key="sensor")
