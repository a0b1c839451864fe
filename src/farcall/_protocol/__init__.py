"""What is said on a connection, without Trio, sockets or a clock.

`core.Protocol` turns frames into events and commands into messages; `state` holds the life of
every id; `wire`, `shapes` and `messages` are the text; `reading`, `answers` and `controls` tell
what it means; `credit` is flow control.
"""
