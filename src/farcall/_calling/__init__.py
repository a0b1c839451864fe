"""Calling the peer of one link: methods, streams, uploads, remote tasks and subscriptions."""
