"""``finslm models export``: an adapter merged into its base, for the edge."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from finslm.cli.models import Dir, Json, err, exit_codes, open_approval, out, print_json
from finslm.engine.adapters import AdapterCard
from finslm.errors import ConfigError


def export(
    name: Annotated[str, typer.Argument(help="Adapter: NAME or NAME@DIGEST.")],
    to: Annotated[Path, typer.Option("--out", help="New folder.")],
    form: Annotated[str, typer.Option("--format", help="safetensors, gguf or openvino.")] = "safetensors",
    dtype: Annotated[str, typer.Option("--dtype", help="float16 or float32.")] = "float16",
    probes: Annotated[
        Path | None, typer.Option("--probes", help="Texts to check with, one a line, instead of the built-in ones.")
    ] = None,
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Write an adapter merged into its base, checked to give the original's answers."""
    with exit_codes():
        from finslm.export.agreement import PROBES
        from finslm.export.run import DTYPES, Format
        from finslm.export.run import export as write

        if form not in get_args(Format) or dtype not in DTYPES:
            raise ConfigError(f"--format is one of {', '.join(get_args(Format))}, --dtype one of {', '.join(DTYPES)}")
        approval = open_approval(directory)
        adapter = approval.resolve(name, verify=True)
        if adapter.kind != "adapter":
            raise ConfigError(f"model {name} is no adapter: what is exported is an adapter merged into its base")
        base = approval.resolve(AdapterCard.read(adapter.path).base_model, verify=True)
        texts = PROBES if probes is None else _lines(probes)

        def told(step: str) -> None:
            if not as_json:
                err.print(step, markup=False, highlight=False)

        done = write(base, adapter, to, form=cast("Format", form), dtype=dtype, probes=texts, told=told)
    if as_json:
        found = [asdict(each) for each in done.agreements]
        print_json({"adapter": adapter.ref, "folder": str(done.folder), "digest": done.digest, "agreement": found})
        return
    for each in done.agreements:
        line = (
            f"{each.same_answers} of {each.probes} answers the same, probabilities within {each.largest_difference:.2g}"
        )
        out.print(f"{each.by}: {line}", highlight=False)
    out.print(f"{adapter.ref}: {form} in {done.folder}, digest {done.digest}", highlight=False)


def _lines(file: Path) -> tuple[str, ...]:
    try:
        found = tuple(line for line in file.read_text("utf-8").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--probes {file}: {type(error).__name__}: it cannot be read") from None
    if not found:
        raise ConfigError(f"--probes {file}: no text in it")
    return found
