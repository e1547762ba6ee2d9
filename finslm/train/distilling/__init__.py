"""Distilling step-by-step (Hsieh et al. 2023, arXiv:2305.02301): a small model learns the label and the reason."""
