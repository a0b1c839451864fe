"""Where the values of uploads go to and come from, on one link."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from farcall._connection.item_queue import ItemQueue
from farcall._connection.pending import PendingCall, RemoteFailure
from farcall._protocol import events
from farcall._protocol.binary import Encoded
from farcall._protocol.messages import Error
from farcall._protocol.uploads import IncomingUpload, OutgoingUpload


@attrs.frozen(eq=False)
class UploadReader:
    """Takes what the peer says of one of its uploads; none of it blocks or raises."""

    push: Callable[[Sequence[Encoded]], None]
    end: Callable[[Exception | None], None]
    close: Callable[[], None]


class OpenUploads:
    """The uploads of one link that somebody sends, or reads."""

    def __init__(self) -> None:
        self._readers: dict[IncomingUpload, UploadReader] = {}
        self._queues: dict[OutgoingUpload, ItemQueue] = {}
        self._held: dict[PendingCall, Sequence[ItemQueue]] = {}

    def read(self, upload: IncomingUpload, reader: UploadReader) -> None:
        """Give the values of an upload of the peer to a reader."""
        self._readers[upload] = reader

    def send(self, upload: OutgoingUpload, queue: ItemQueue) -> None:
        """Tell a queue when the peer has room for more."""
        self._queues[upload] = queue

    def hold(self, pending: PendingCall, queues: Sequence[ItemQueue]) -> None:
        """Hold queues back until the call that names their uploads has been sent."""
        for queue in queues:
            queue.is_held = True
        self._held[pending] = queues

    def release_sent(self) -> None:
        """Let those go whose call has been sent meanwhile."""
        for pending in [each for each in self._held if each.call.was_sent]:
            for queue in self._held.pop(pending):
                queue.is_held = False
                queue.wake()

    def forget_incoming(self, upload: IncomingUpload) -> None:
        """Close the reader of an upload whose call has ended."""
        reader = self._readers.pop(upload, None)
        if reader is not None:
            reader.close()

    def forget_outgoing(self, upload: OutgoingUpload) -> None:
        """Close the queue of an upload whose call has ended."""
        queue = self._queues.pop(upload, None)
        if queue is not None:
            queue.outbox.close()

    def forget_held(self, pending: PendingCall) -> None:
        """Drop the queues of a call that was never sent."""
        self._held.pop(pending, None)

    def react(self, event: events.UploadEvent) -> None:
        """Do what the peer says of an upload."""
        match event:
            case events.UploadItems(upload, values):
                self._readers[upload].push(values)
            case events.UploadEnded(upload, error):
                self._readers[upload].end(_failure(error))
            case events.UploadCredit(upload):
                self._queues[upload].outbox.on_credit()

    def end(self, lost: Callable[[bool], Exception]) -> None:
        """Fail them all, because the link has ended."""
        for reader in self._readers.values():
            reader.end(lost(True))
        for queue in self._queues.values():
            queue.outbox.close()


def _failure(error: Error | None) -> Exception | None:
    return None if error is None else RemoteFailure(error.code, error.message, error.data)
