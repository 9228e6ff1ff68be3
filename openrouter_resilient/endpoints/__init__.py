"""What each API is like: one table of endpoints, one of parameters."""
