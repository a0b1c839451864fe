"""Every value needs a key, so the field must be required."""

from typing import TypedDict

from farcall import Signal, service


class Reading(TypedDict, total=False):
    sensor: str
    celsius: float


@service
class Lab:
    read: Signal[Reading] = Signal(key="sensor")
