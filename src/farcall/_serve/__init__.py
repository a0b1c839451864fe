"""One call of the peer while it is served: a method, a stream, or a remote task, and its uploads.

Each has one outcome, which the dispatcher sends.
"""

from farcall._serve.call import Deadline, ServedCall
from farcall._serve.stream import ServedStream, wants_array
from farcall._serve.task import ServedTask

__all__ = ["Deadline", "ServedCall", "ServedStream", "ServedTask", "wants_array"]
