"""Adapters for the edge: merged into their base, written in formats of others, and held against the original."""
