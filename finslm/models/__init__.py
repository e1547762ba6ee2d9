"""Models on disk: pinned, pulled from several kinds of places, verified, found by name."""
