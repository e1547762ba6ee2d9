"""How much is found, how well it is named, what is found wrongly, and how fast: beside stock Presidio."""
