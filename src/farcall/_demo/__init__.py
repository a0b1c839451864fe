"""A machine that tells its load: the service behind `farcall demo`."""
