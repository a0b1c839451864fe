"""The contract of a service: its members and types as frozen data. No Trio."""
