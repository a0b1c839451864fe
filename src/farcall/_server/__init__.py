"""Serving a port: the side that listens."""
