"""The record: who served every call, what it cost, and the uptime it adds up to."""
