"""A class is registered before a service names it."""

from dataclasses import dataclass

from farcall import register_type, service


@dataclass
class Point:
    x: int
    y: int


@service
class Map:
    async def center(self) -> Point:
        return Point(0, 0)


register_type(Point, list[int], encode=lambda p: [p.x, p.y], decode=lambda xy: Point(*xy))
