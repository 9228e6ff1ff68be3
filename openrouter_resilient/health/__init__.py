"""Knowing beforehand: shared health, probes, alerts, a doctor. Optional to a call."""
