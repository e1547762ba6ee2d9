"""How good is a model: metrics, baselines, tables."""
