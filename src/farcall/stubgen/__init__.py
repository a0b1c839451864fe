"""Write typed clients of services, and compare them with those on disk."""
