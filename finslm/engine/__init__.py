"""The engine: scheduler, runner, sampler, adapters. The seam to the pipeline is :mod:`finslm.engine.base`."""
