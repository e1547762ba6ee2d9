"""Stubs generated from proto/finslm/v1 by scripts/gen_protos.py; nothing is edited here."""
