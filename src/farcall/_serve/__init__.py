"""One call of the peer while it is served: a method, a stream, or a remote task, and its uploads.

Each has one outcome, which the dispatcher sends.
"""

from farcall._serve.call import Runner, ServedCall, ServedLink
from farcall._serve.deadline import NO_DEADLINE, Deadline
from farcall._serve.stream import StreamRunner
from farcall._serve.task import TaskRunner

__all__ = [
    "NO_DEADLINE",
    "Deadline",
    "Runner",
    "ServedCall",
    "ServedLink",
    "StreamRunner",
    "TaskRunner",
]
