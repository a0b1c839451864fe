"""A service that watches its machine, and its generated stub: what `farcall demo` serves."""
