"""Bank complaints and call notes made for training, with the summaries that belong to them."""
