"""The two peers of `test_machine`, whose calls bring uploads: streams the other way."""

from __future__ import annotations

import json

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from farcall._protocol.binary import FEATURE, FEATURES
from farcall._protocol.credit import Window
from farcall._protocol.messages import Error, upload_end
from farcall._protocol.state import ENDED, IncomingCall, IncomingUpload, OutgoingUpload
from tests.unit.protocol.pair import Reader, Sender, Told, use
from tests.unit.protocol.test_machine import (
    SIZES,
    WINDOWS,
    Side,
    Story,
    TwoPeers,
    check_credit,
    fitting,
)

WINDOW = Window(3, 20)
"""Small, so that it is used up."""


@attrs.define(eq=False)
class UploadStory:
    """What happened to one upload, as seen from outside of both protocols."""

    call: Story
    outgoing: OutgoingUpload
    incoming: IncomingUpload | None = None
    has_ended: bool = False
    """Whether its sender has said that nothing follows."""
    was_told: bool = False
    """Whether its reader has heard that."""
    sent: list[bytes] = attrs.field(factory=list[bytes])
    received: list[bytes] = attrs.field(factory=list[bytes])
    consumed: int = 0


class TwoPeersWithUploads(TwoPeers):
    """The rules of uploads, beside those of calls and streams."""

    def open(
        self, greeting: str, bundle: int, message: int, features: tuple[str, ...] = FEATURES
    ) -> None:
        self.uploads: list[tuple[Side, UploadStory]] = []
        """With the side that sends."""
        super().open(greeting, bundle, message, features)
        for side in self.sides:
            side.protocol.uploads.window = WINDOW

    # What callers do

    @precondition(lambda self: self.client.protocol.is_greeted)
    @rule(is_client=st.booleans(), window=st.none() | WINDOWS, count=st.integers(1, 3))
    def upload(self, is_client: bool, window: Window | None, count: int) -> None:
        """Call a method, or a stream, with uploads among its arguments."""
        side = self.client if is_client else self.server
        if not side.protocol.is_greeted:
            return
        uploads = [self.open_upload(side) for _ in range(count)]
        params = json.dumps(
            {each.id.decode(): {"$stream": json.loads(each.id)} for each in uploads}
        )
        call = side.make("load", params.encode(), window=window)
        story = Story(call, window)
        side.stories.append(story)
        self.uploads += [(side, UploadStory(story, each)) for each in uploads]
        side.say_soon(call)

    def open_upload(self, side: Side) -> OutgoingUpload:
        upload = side.protocol.uploads.send()
        upload.owner = Sender(upload, side.hear)
        return upload

    def under_way(self) -> list[tuple[Side, UploadStory]]:
        """Give the uploads whose sender goes on: its call has left, and it waits for the answer."""
        return [
            (side, each)
            for side, each in self.uploads
            if each.call.outgoing.was_sent and not each.call.is_done and not each.has_ended
        ]

    @precondition(lambda self: bool(self.under_way()))
    @rule(sizes=SIZES, is_binary=st.booleans())
    def send_values(self, sizes: list[int], is_binary: bool) -> None:
        """Let each upload send as many of the values as its credit has room for."""
        for side, story in self.under_way():
            values = fitting(story.outgoing.credit, sizes)
            if values:
                is_raw = is_binary and side.protocol.has_feature(FEATURE)
                side.say_soon(side.protocol.upload_items(story.outgoing, values, is_binary=is_raw))
                story.sent += values

    @precondition(lambda self: bool(self.under_way()))
    @rule(data=st.data(), is_good=st.booleans())
    def end_upload(self, data: st.DataObject, is_good: bool) -> None:
        """Say that nothing follows, or why nothing does."""
        side, story = data.draw(st.sampled_from(self.under_way()))
        story.has_ended = True
        error = None if is_good else Error(7, "no more")
        side.say_soon(upload_end(story.outgoing.id, error, story.outgoing.seq))

    def over(self) -> list[tuple[Side, UploadStory]]:
        """Give the open uploads of calls whose callers wait no more."""
        return [
            (side, each)
            for side, each in self.uploads
            if each.outgoing.id in side.protocol.uploads.outgoing and not is_awaited(each.call)
        ]

    @precondition(lambda self: bool(self.over()))
    @rule()
    def leave_uploads(self) -> None:
        """Forget the uploads of calls that are over, be it late."""
        for side, story in self.over():
            assert side.protocol.uploads.end_outgoing(story.outgoing)

    # What handlers do

    def read_by(self) -> list[tuple[Side, UploadStory]]:
        """Give the uploads of which a handler has something to read, with the side that reads."""
        return [
            (self.other(side), each)
            for side, each in self.uploads
            if each.incoming is not None and each.consumed < len(each.received)
        ]

    @precondition(lambda self: bool(self.read_by()))
    @rule(count=st.integers(1, 4))
    def read_values(self, count: int) -> None:
        for side, story in self.read_by()[:count]:
            self.read_one(side, story)

    def read_one(self, side: Side, story: UploadStory) -> None:
        assert story.incoming is not None
        size = len(story.received[story.consumed])
        story.consumed += 1
        credit = use(story.incoming, size)
        side.control.extend([] if credit is None else [credit])

    def consume_all(self) -> None:
        super().consume_all()
        while unread := self.read_by():
            self.read_one(*unread[0])

    # What is seen of it

    def begin_to_serve(self, side: Side, call: IncomingCall) -> None:
        super().begin_to_serve(side, call)
        for each in self.uploads_of(side, call):
            each.incoming = side.protocol.uploads.receive(each.outgoing.id)
            assert each.incoming is not None
            each.incoming.owner = Reader(each.incoming, side.hear)
            side.reading.setdefault(call, []).append(each.incoming)

    def uploads_of(self, side: Side, call: IncomingCall) -> list[UploadStory]:
        story = self.story_of(side, call)
        return [each for _, each in self.uploads if each.call is story]

    def react(self, side: Side, told: Told) -> None:
        match told:
            case ("upload items", upload, values):
                story = self.read_story(side, upload)
                assert not story.was_told
                story.received += map(bytes, values)
                assert story.received == story.sent[: len(story.received)]
            case ("upload end", upload, _):
                story = self.read_story(side, upload)
                assert not story.was_told
                assert story.received == story.sent
                story.was_told = True
            case ("upload credit", upload):
                assert upload.id in side.protocol.uploads.outgoing
            case _:
                super().react(side, told)

    def read_story(self, side: Side, upload: IncomingUpload) -> UploadStory:
        """Find the story of an upload, whose call must still be served."""
        (story,) = [each for _, each in self.uploads if each.incoming is upload]
        assert any(upload in uploads for uploads in side.reading.values())
        return story

    @invariant()
    def no_upload_is_beyond_its_credit(self) -> None:
        for _, each in self.uploads:
            check_credit(each.outgoing.credit, each.outgoing.seq, each.sent)

    @invariant()
    def uploads_are_as_open_as_their_calls(self) -> None:
        """What a handler may still read is in the table, and nothing else is."""
        for side in self.sides:
            open_uploads = {
                upload
                for uploads in side.reading.values()
                for upload in uploads
                if not next(each for _, each in self.uploads if each.incoming is upload).was_told
            }
            assert set(side.protocol.uploads.incoming.values()) == open_uploads

    def check_not_stuck(self, side: Side, call: IncomingCall) -> None:
        """An upload whose values are all read has room for one of any size."""
        super().check_not_stuck(side, call)
        for each in self.uploads_of(side, call):
            if not each.was_told and is_awaited(each.call):
                assert each.outgoing.credit.allows(10**9)

    def teardown(self) -> None:
        super().teardown()
        for side, story in self.over():
            side.protocol.uploads.end_outgoing(story.outgoing)
        for side in self.sides:
            assert not side.protocol.uploads.outgoing
            assert not side.protocol.uploads.incoming


def is_awaited(story: Story) -> bool:
    """Tell whether the caller waits for a call: it is neither over nor withdrawn."""
    return not story.is_done and story.outgoing.stage is not ENDED


TestTwoPeersWithUploads = TwoPeersWithUploads.TestCase
TestTwoPeersWithUploads.settings = settings(max_examples=60, stateful_step_count=60)
