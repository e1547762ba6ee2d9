"""Our engine beside other systems that run the same model, in one run."""
