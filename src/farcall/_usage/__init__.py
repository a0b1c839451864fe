"""How farcall may be used: checks of what users pass, and clear words for misuse."""
