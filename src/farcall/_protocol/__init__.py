"""The protocol of a connection, without Trio, sockets or a clock.

From the ground up: `framing` is text, `credit` is flow control, `binary` and `messages` are the
kinds of message, `state` is what both sides have agreed on and the life of every id,
`notifications` and `reading` pass each message to its receiver, and `protocol` has the commands.
"""
