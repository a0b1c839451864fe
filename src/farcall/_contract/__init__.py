"""What a service means: the types that cross, and its contract as frozen data. No Trio."""
