"""A client of the chat: two listeners in two rooms, and a third person who writes to both.

Run ``farcall serve examples.chat.service:Chat`` in one terminal and
``python -m examples.chat.client`` in another.
"""

from __future__ import annotations

import sys

import trio

import farcall
from stubs.chat import ChatProxy, EmptyMessage


async def listen(
    url: str, name: str, room: str, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Print the next two messages of a room."""
    async with farcall.connect(url, ChatProxy) as chat, chat.said.subscribe(key=room) as said:
        task_status.started()
        for _ in range(2):
            message = await anext(said)
            print(f"{name} hears {message.author} in {message.room}: {message.text}")


async def main(url: str) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(listen, url, "ada", "kitchen")
        await nursery.start(listen, url, "bob", "garden")
        async with farcall.connect(url, ChatProxy) as chat:
            for room in ("kitchen", "garden"):
                await chat.say(room, "eve", "hello")
                await chat.say(room, "eve", f"how is the {room}?")
            try:
                await chat.say("kitchen", "eve", " ")
            except EmptyMessage as error:
                print("nothing was said in", error.room)
            print("rooms:", ", ".join(await chat.rooms()))


if __name__ == "__main__":
    trio.run(main, sys.argv[1] if sys.argv[1:] else "ws://127.0.0.1:8765")
