"""What is said on a connection, without Trio, sockets or a clock.

`core.Protocol` turns frames into events and commands into messages; `state` holds the life of
every id; `wire` and `messages` are the text; `credit` is flow control; `plain` is the dialect of
peers that have not said hello.
"""
