"""Export one adapter: merge, write, hold against the original, and only then give it the name that was asked for."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal, final

import torch

from finslm.engine.weights import Floats
from finslm.errors import ConfigError
from finslm.export import folder, gguf_file, llama_cpp, network
from finslm.export.agreement import GREEDY_TOKENS, PROBES, Agreement, compare, compare_writing, write
from finslm.export.original import Answers, Original
from finslm.models.digest import folder_digest, sha256_file
from finslm.models.registry import InstalledModel

Format = Literal["safetensors", "gguf", "openvino"]
DTYPES: Final = {"float16": torch.float16, "float32": torch.float32}
EXPORT_FILE: Final = "finslm_export.json"
_WRITERS: Final[dict[Format, Callable[[Original, Any, Path, torch.dtype], None]]] = {
    "safetensors": folder.write,
    "gguf": gguf_file.write,
    "openvino": network.write,
}

Told = Callable[[str], None]
"""Called with each step."""


@final
@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, and how it agrees."""

    folder: Path
    digest: str
    agreements: tuple[Agreement, ...]


def export(
    base: InstalledModel,
    adapter: InstalledModel,
    out: Path,
    *,
    form: Format,
    dtype: str = "float16",
    probes: Sequence[str] = PROBES,
    told: Told = lambda _: None,
) -> Exported:
    """Write ``adapter``, merged into ``base``, as folder ``out``.

    Args:
        dtype: number format of the matrices, ``float16`` or ``float32``.
        probes: texts on which the export has to give the original's answers.

    Raises:
        ConfigError: ``out`` is there already, the format cannot hold or check this model, or the answers differ:
            nothing was written.
    """
    if out.exists():
        raise ConfigError(f"--out {out} is there already: give a new folder")
    told("read the original")
    original = Original.load(base.path, adapter.path)
    _check_format(original, form)
    rows = original.rows(probes)
    told("ask the original")
    reference = _Reference(original, rows)
    merged = original.merged()
    out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".partial", dir=out.parent))
    try:
        told(f"write {form}")
        _WRITERS[form](original, merged, work, DTYPES[dtype])
        told("ask the export")
        agreements = _agreements(original, reference, form, work, probes)
        digest = _describe(work, base, adapter, original, form, dtype, agreements)
        work.chmod(0o755)
        work.rename(out)
    except OSError as error:
        raise ConfigError(f"export to {out}: {error.strerror or error}; nothing was written") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return Exported(out, digest, agreements)


@final
class _Reference:
    """The original's answers, asked before the merge changes it."""

    def __init__(self, original: Original, rows: Sequence[Sequence[int]]) -> None:
        self.rows = rows
        answers = original.answers()
        self._classified: list[Floats] = [answers(ids) for ids in rows] if original.card.labels else []
        self._written = [] if original.card.labels else [write(answers, ids) for ids in rows]

    def agreement(self, by: str, exported: Answers) -> Agreement:
        """Raises where ``exported`` answers otherwise."""
        if self._classified:
            return compare(by, self._classified, [exported(ids) for ids in self.rows])
        return compare_writing(by, self.rows, self._written, exported)


def _check_format(original: Original, form: Format) -> None:
    if form == "gguf" and original.encodes and not llama_cpp.installed():
        raise ConfigError(
            "GGUF of an encoder can only be checked by llama.cpp itself: install llama-cpp-python, or export "
            "safetensors or openvino"
        )


def _agreements(
    original: Original, reference: _Reference, form: Format, work: Path, probes: Sequence[str]
) -> tuple[Agreement, ...]:
    if form == "openvino":
        return (reference.agreement("openvino", network.read(work)),)
    if form == "safetensors":
        return (reference.agreement("transformers", folder.read(work, original.card)),)
    found: list[Agreement] = []
    if not original.encodes:
        found.append(reference.agreement("transformers", gguf_file.read(work, original)))
    if llama_cpp.installed():
        found.append(_by_llama_cpp(original, reference, work, probes))
    return tuple(found)


def _by_llama_cpp(original: Original, reference: _Reference, work: Path, probes: Sequence[str]) -> Agreement:
    model = llama_cpp.LlamaCpp(work / gguf_file.GGUF_FILE, original.card)
    try:
        for number, (text, ids) in enumerate(zip(probes, reference.rows, strict=True)):
            read = model.tokens(text.strip() if original.card.labels else text)
            whole = read if original.encodes or not original.card.labels else [*read, ids[-1]]
            if whole != list(ids) and len(ids) < original.card.max_tokens:
                raise ConfigError(f"GGUF: llama.cpp reads probe {number} as other tokens; nothing was written")
        return reference.agreement("llama.cpp", model)
    finally:
        model.close()


def _describe(
    work: Path,
    base: InstalledModel,
    adapter: InstalledModel,
    original: Original,
    form: Format,
    dtype: str,
    agreements: Sequence[Agreement],
) -> str:
    """Write what this is, of what, and what it was held against; returns the folder's digest."""
    card = original.card
    for path in work.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)  # safetensors writes 0600
    files = {
        str(path.relative_to(work)): {"sha256": sha256_file(path), "size_bytes": path.stat().st_size}
        for path in sorted(work.rglob("*"))
        if path.is_file()
    }
    digest = folder_digest({name: str(facts["sha256"]) for name, facts in files.items()})
    tree = {
        "schema_version": 1,
        "format": form,
        "dtype": dtype,
        "adapter": {"name": adapter.identity.name, "digest": adapter.identity.digest, "licence": adapter.licence},
        "base": {"name": base.identity.name, "digest": base.identity.digest, "licence": base.licence},
        "card": asdict(card),
        "pooling": "mean of the last hidden states of all tokens" if card.labels else None,
        "agreement": [asdict(each) for each in agreements],
        "greedy_tokens": None if card.labels else GREEDY_TOKENS,
        "made_with": {name: version(name) for name in ("torch", "transformers", "peft", "gguf", "openvino")},
        "digest": digest,
        "files": files,
    }
    (work / EXPORT_FILE).write_text(json.dumps(tree, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return digest
