"""Serving the peer of one link: calls, streams, uploads, remote tasks, subscriptions, logins."""
