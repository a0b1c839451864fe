"""Connecting: the side that dials."""
