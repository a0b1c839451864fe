"""The uploads of one link: an outbox for each one sent, an inbox for each one received.

The table of the protocol is the only one: the owner of each entry is one of these ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from farcall._codec import Codec
from farcall._connection.call import RemoteFailure
from farcall._connection.items import ItemCodec, item_codec
from farcall._connection.lanes import Lanes
from farcall._connection.streams import Inbox, Outbox
from farcall._protocol.binary import Encoded
from farcall._protocol.framing import RequestId
from farcall._protocol.messages import Error, credit, max_items_size, upload_end
from farcall._protocol.protocol import Protocol
from farcall._protocol.state import IncomingUpload, OutgoingUpload
from farcall._quota import MemoryAccount

T = TypeVar("T")


class UploadOutbox(Outbox):
    """The sending end of an upload."""

    def __init__(
        self, protocol: Protocol, lanes: Lanes, account: MemoryAccount, *, is_binary: bool
    ) -> None:
        self._protocol = protocol
        self._upload: OutgoingUpload = protocol.uploads.send()
        self._upload.owner = self
        self._is_binary = is_binary
        limit, id = protocol.message_limit, self._upload.id
        room = max_items_size(limit, id, is_binary=is_binary, is_upload=True)
        super().__init__(self._upload.credit, self._items, room, lanes, account)

    @property
    def reference(self) -> bytes:
        """The JSON text that stands for the upload among the arguments of its call."""
        return b'{"$stream":%b}' % self._upload.id

    def _items(self, values: Sequence[bytes]) -> bytes:
        return self._protocol.upload_items(self._upload, values, is_binary=self._is_binary)

    def finish(self, error: Error | None = None) -> None:
        """Send the end, with an error or without, after the values that wait."""
        upload = self._upload
        self.end(lambda: upload_end(upload.id, error, upload.seq))

    def leave(self) -> None:
        """Drop what waits: the call has ended, and so do its uploads."""
        self.close()
        self._protocol.uploads.end_outgoing(self._upload)


class UploadInbox(Inbox[T]):
    """The receiving end of an upload, which a handler reads."""

    def __init__(
        self,
        protocol: Protocol,
        upload: IncomingUpload,
        lanes: Lanes,
        account: MemoryAccount,
        *,
        read: Callable[[Encoded], T],
        raised: Callable[[RemoteFailure], Exception],
    ) -> None:
        super().__init__(read, account, upload.credit)
        self._protocol = protocol
        self._upload = upload
        self._raised = raised
        upload.credit.on_due = partial(lanes.put_credit, self)
        upload.owner = self

    def credit_message(self) -> bytes:
        """Return what grants its sender more; see `Granting`."""
        return credit(self._upload.id, *self._upload.credit.grant(), is_upload=True)

    def on_end(self, error: Error | None) -> None:
        if error is None:
            self.end()
        else:
            self.end(self._raised(RemoteFailure(error.code, error.message, error.data)))

    def leave(self) -> None:
        """Drop what waits and what still comes: the call has ended."""
        self.close()
        self._protocol.uploads.end_incoming(self._upload)


class Uploads:
    """The uploads of one link, in both directions.

    Args:
        protocol: Has the table of them.
        lanes: Queue values and credit for the writer.
        account: Charged with the values that wait.
    """

    def __init__(self, protocol: Protocol, lanes: Lanes, account: MemoryAccount) -> None:
        self._protocol = protocol
        self._lanes = lanes
        self._account = account

    def item_codec(self, codec: Codec[T]) -> ItemCodec[T]:
        """Return what writes and reads items."""
        return item_codec(self._protocol, codec)

    def send(self, *, is_binary: bool) -> UploadOutbox:
        """Open an upload to the peer."""
        return UploadOutbox(self._protocol, self._lanes, self._account, is_binary=is_binary)

    def receive(
        self,
        id: RequestId,
        read: Callable[[Encoded], T],
        raised: Callable[[RemoteFailure], Exception],
    ) -> UploadInbox[T] | None:
        """Open an upload of the peer; None if that id is open already.

        Args:
            id: JSON text.
            read: Decodes an item; see `Inbox`.
            raised: Makes the exception that a reader gets when the caller's iterable fails.
        """
        upload = self._protocol.uploads.receive(id)
        if upload is None:
            return None
        protocol, lanes, account = self._protocol, self._lanes, self._account
        return UploadInbox(protocol, upload, lanes, account, read=read, raised=raised)

    def inbox(self, read: Callable[[Encoded], T], values: Sequence[bytes]) -> Inbox[T]:
        """Return an inbox of the items of a plain peer, which sends them in one array."""
        inbox = Inbox(read, self._account)
        inbox.push(values)
        inbox.end()
        return inbox

    def end(self, lost: Callable[[], Exception]) -> None:
        """Fail all uploads, because the link has ended."""
        for received in self._protocol.uploads.incoming.values():
            if received.owner is not None:
                received.owner.end(lost())
        for sent in self._protocol.uploads.outgoing.values():
            if sent.owner is not None:
                sent.owner.close()
