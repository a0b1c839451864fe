"""What is said on a connection, without Trio, sockets or a clock.

`core.Protocol` turns frames into events and commands into messages; `state` holds the life of
every id; `wire`, `shapes` and `messages` are the text; `reading` and `answers` tell what a frame
means; `credit` is flow control.
"""
