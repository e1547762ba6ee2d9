"""What to train of a small model, and how to pool it."""
