"""Metrics and logs. A leaf: it imports nothing of ours."""
