"""Serving subscriptions: signals into frames, as fast as the peer takes them.

A farcall peer makes a stream call for each subscription and gives credit; a plain peer names
events with ``rpc.on`` and takes what comes. Either way the values wait in the subscription's own
buffer, and the writer pulls from it.
"""
