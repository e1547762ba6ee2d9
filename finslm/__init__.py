"""A finance language model on confidential data, and no byte leaves. Start with :mod:`finslm.pipeline`."""
