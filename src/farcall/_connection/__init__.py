"""One link: its lanes, reader, writer and heartbeat."""
