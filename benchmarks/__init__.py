"""Measurements. Each file answers one question; results are JSON with the facts of the machine."""
