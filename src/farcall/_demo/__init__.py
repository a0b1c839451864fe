"""The demonstration of `farcall demo`: a service, its generated stub, and what shows both."""
