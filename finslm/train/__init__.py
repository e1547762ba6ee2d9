"""Making models: recipes, fine-tuning, cards."""
