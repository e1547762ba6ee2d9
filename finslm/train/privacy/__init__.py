"""How much a trained model gives away about its rows: measured, and bounded where a recipe asks for it."""
