"""``finslm serve``."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Annotated, Optional

import typer


def serve(
    config: Annotated[Optional[Path], typer.Option(help="Settings, YAML; FINSLM_* variables go before it.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Build everything, then end without serving.")] = False,
) -> None:
    """Serve the gRPC API until SIGTERM or Ctrl-C; SIGHUP changes adapters. Opens no connection but to its witnesses."""
    from finslm.config import load
    from finslm.telemetry import logs

    settings = load(config)
    logs.configure(settings.log.level)
    # What is made until the service is ready stays; to look for garbage in it costs a second. The app goes on with it.
    gc.disable()
    from finslm import app  # torch and presidio load here, after logging is set up

    if check:
        app.check(settings)
    else:
        app.run(settings, lambda: load(config))
