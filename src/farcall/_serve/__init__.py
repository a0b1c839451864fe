"""One call of the peer while it is served: a method, a stream, or a remote task, and its uploads.

Each has one outcome, which the dispatcher sends.
"""
