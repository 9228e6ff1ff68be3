"""Bytes out, bytes in: one attempt under its limits."""
