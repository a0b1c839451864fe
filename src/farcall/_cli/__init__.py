"""The `farcall` command."""
