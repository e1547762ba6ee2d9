"""Numbers that states give to people and firms: a file per region; importing one registers its recognizers."""

from __future__ import annotations

from redaction.recognizers.national import (
    americas,
    asia_pacific,
    documents,
    europe_east,
    europe_north,
    europe_south,
    europe_west,
    middle_east_africa,
    uk,
    us,
    vat,
)

__all__ = [
    "americas",
    "asia_pacific",
    "documents",
    "europe_east",
    "europe_north",
    "europe_south",
    "europe_west",
    "middle_east_africa",
    "uk",
    "us",
    "vat",
]
