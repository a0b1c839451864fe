"""Uploads: the streams that a caller sends along with the arguments of a call.

An upload has an id of its own, which its call names in an argument as ``{"$stream":"u1"}``. It
begins with its call and ends with `UploadEnd`, or with the answer to the call, whichever is first:
what comes after that answer was on its way, and is dropped.
"""

from __future__ import annotations

import attrs

from farcall._protocol.credit import DEFAULT_WINDOW, ReceiveCredit, SendCredit, Window
from farcall._protocol.messages import Credit, RequestId


@attrs.define(eq=False)
class OutgoingUpload:
    """What this side sends."""

    id: RequestId
    """As JSON text."""
    credit: SendCredit
    seq: int = 0


@attrs.define(eq=False)
class IncomingUpload:
    """What the peer sends."""

    id: RequestId
    credit: ReceiveCredit
    seq: int = 0


@attrs.define(eq=False)
class Uploads:
    """The uploads of one connection that are open, in both directions."""

    window: Window = DEFAULT_WINDOW
    """What each of them begins with; nobody has to be told."""
    outgoing: dict[RequestId, OutgoingUpload] = attrs.field(factory=dict[RequestId, OutgoingUpload])
    incoming: dict[RequestId, IncomingUpload] = attrs.field(factory=dict[RequestId, IncomingUpload])
    _count: int = 0

    def send(self) -> OutgoingUpload:
        """Open one to the peer."""
        self._count += 1
        upload = OutgoingUpload(b'"u%d"' % self._count, self.window.for_sender())
        self.outgoing[upload.id] = upload
        return upload

    def receive(self, id: RequestId) -> IncomingUpload | None:
        """Take one of the peer's; None where that id is open already."""
        if id in self.incoming:
            return None
        upload = IncomingUpload(id, self.window.for_receiver())
        self.incoming[id] = upload
        return upload

    def consume(self, upload: IncomingUpload, size: int) -> Credit | None:
        """Count an item as used, and give the credit that is due now, if any."""
        if self.incoming.get(upload.id) is not upload:
            return None
        upload.credit.consume(size)
        totals = upload.credit.grant()
        return None if totals is None else Credit(upload.id, *totals, is_upload=True)

    def end_outgoing(self, upload: OutgoingUpload) -> bool:
        """Forget one of this side, and tell whether it was open."""
        return self.outgoing.pop(upload.id, None) is not None

    def end_incoming(self, upload: IncomingUpload) -> None:
        """Forget one of the peer's; what still comes on it is dropped."""
        if self.incoming.get(upload.id) is upload:
            del self.incoming[upload.id]

    def clear(self) -> None:
        """Forget all, because the link has ended."""
        self.outgoing.clear()
        self.incoming.clear()
