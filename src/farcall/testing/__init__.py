"""Serve and connect in memory, under virtual time."""
