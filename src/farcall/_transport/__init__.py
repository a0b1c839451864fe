"""What carries frames: WebSocket, or a pair in memory; and how a link is dialled and accepted."""
