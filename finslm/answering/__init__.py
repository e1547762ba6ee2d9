"""Questions over one document: find the evidence, cite it, calculate by a program that a person can check."""
