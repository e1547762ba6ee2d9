"""Self-supervised pretraining: causal language modelling from scratch, or on from a base that there is."""
