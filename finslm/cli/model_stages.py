"""``finslm models add|promote|retire|history|diff|key|sign``: versions, who answers for them, and signatures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Table

from finslm.answering.ranking import RANKER_FILE, Ranker
from finslm.cli.models import Dir, Json, exit_codes, open_approval, out, print_json
from finslm.cli.texts import cell
from finslm.engine.adapters import AdapterCard
from finslm.errors import ConfigError
from finslm.models import add as adding
from finslm.models import diff as differences
from finslm.models import signature, versions
from finslm.models.approval import Approval
from finslm.models.approvers import new_key
from finslm.models.digest import sha256_file
from finslm.models.manifest import Kind
from finslm.models.stages import Entry, StageLog, decide

Who = Annotated[str, typer.Option("--by", help="Who decides: a name in models.approvers.")]
Why = Annotated[str, typer.Option("--why", help="The reason, one line.")]
Digest = Annotated[str | None, typer.Option("--digest", help="Which version: its digest, 8 digits or more.")]
Evaluation = Annotated[
    Path | None, typer.Option("--evaluation", help="The metrics it rests on; their SHA-256 is kept.")
]
Key = Annotated[Path | None, typer.Option("--key", help="Private key of who decides (finslm models key).")]


def add(
    folder: Annotated[Path, typer.Argument(help="Adapter folder, as finslm finetune writes it; or a ranker's.")],
    name: Annotated[str | None, typer.Option("--name", help="Name of the model; the card's when not given.")] = None,
    licence: Annotated[str, typer.Option("--licence", help="Licence, as it is shown.")] = "internal",
    attribution: Annotated[str, typer.Option("--attribution", help="Whose it is.")] = "Made here.",
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Bring an adapter or a ranker of your own in, sealed, as a candidate."""
    with exit_codes():
        kind, own_name, base = _described(folder)
        approval = open_approval(directory)
        known = {state.installed.identity.name for state in approval.registry.list() if state.installed}
        if base not in known:
            raise ConfigError(f"{folder}: its base {base[:64]!r} is not installed; see: finslm models list")
        model, new = adding.add(
            approval.registry, folder, name or own_name, kind=kind, licence=licence, attribution=attribution
        )
        stage = approval.stage(model)
    if as_json:
        print_json({"name": model.identity.name, "digest": model.identity.digest, "path": str(model.path),
                    "stage": stage, "new": new})  # fmt: skip
        return
    word = "added" if new else "already there"
    out.print(f"{model.ref}: {word}, {stage}: {model.path}", highlight=False)


def _described(folder: Path) -> tuple[Kind, str, str]:
    """Kind, name and base of what a folder holds.

    Raises:
        ConfigError: neither an adapter nor a ranker.
    """
    if (file := folder / RANKER_FILE).is_file():
        about = Ranker.read(file).about
        return "ranker", str(about.get("name")), str(about.get("base")).partition(",")[0]
    card = AdapterCard.read(folder)
    return "adapter", card.name, card.base_model


def promote(
    name: str,
    by: Who,
    why: Why,
    digest: Digest = None,
    evaluation: Evaluation = None,
    key: Key = None,
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Approve a version: its name means it from now on. Without --digest, the only candidate."""
    with exit_codes():
        _decide("approved", name, digest, by, why, evaluation, key, directory, as_json=as_json)


def retire(
    name: str,
    by: Who,
    why: Why,
    digest: Digest = None,
    evaluation: Evaluation = None,
    key: Key = None,
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Take a version out of service. Without --digest, the one that its name means now."""
    with exit_codes():
        _decide("retired", name, digest, by, why, evaluation, key, directory, as_json=as_json)


def history(name: str, directory: Dir = None, as_json: Json = False) -> None:
    """Say who decided what on a model's versions, and how far the stage log goes."""
    with exit_codes():
        approval = open_approval(directory)
        states = approval.registry.versions(versions.split(name)[0])
        entries = approval.history(versions.split(name)[0])
        if not states and not entries:
            approval.registry.catalogue.entry(name)  # raises, with the known names
        found = [(s.installed, approval.stage(s.installed), approval.serves(s)) for s in states if s.installed]
        head = approval.log.head
    if as_json:
        listed = [{"digest": m.identity.digest, "stage": stage, "current": current} for m, stage, current in found]
        decisions = [_facts(entry) for entry in entries]
        print_json({"name": name, "versions": listed, "decisions": decisions,
                    "head": {"decisions": head.size, "head": head.hash}})  # fmt: skip
        return
    table = Table("version", "stage", "", box=None, pad_edge=False)
    for model, stage, current in found:
        table.add_row(model.ref, stage, "current" if current else "")
    out.print(table)
    for entry in entries:
        d = entry.decision
        line = f"{d.time} {d.stage} {versions.ref(d.model, d.digest)} by {d.by}: {d.why}"
        out.print(line + (f" (evaluation {d.evaluation})" if d.evaluation else ""), highlight=False, markup=False)
    out.print(f"stage log: {head.size} decisions, head {head.hash}", highlight=False)


def diff(
    first: Annotated[str, typer.Argument(help="NAME or NAME@DIGEST.")],
    second: Annotated[str, typer.Argument(help="NAME or NAME@DIGEST.")],
    metrics_first: Annotated[Path | None, typer.Option("--metrics-first", help="Metrics file of the first.")] = None,
    metrics_second: Annotated[Path | None, typer.Option("--metrics-second", help="Metrics file of the second.")] = None,
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Say what differs between two versions: card, labels, recipe, figures with their change, files."""
    with exit_codes():
        approval = open_approval(directory)
        models = approval.resolve(first), approval.resolve(second)
        found = differences.diff(*models, (metrics_first, metrics_second))
    if as_json:
        print_json(found.as_dict())
        return
    table = Table("", found.first, found.second, "change", box=None, pad_edge=False)
    for line in _lines(found):
        table.add_row(*map(cell, line))
    out.print(table)


def _lines(found: differences.Difference) -> Iterator[tuple[str, ...]]:
    for part in ("card", "lora", "recipe"):
        for name, (a, b) in getattr(found, part).items():
            yield f"{part} {name}", _shown(a), _shown(b)
    for title, labels in (("labels gone", found.labels_gone), ("labels new", found.labels_new)):
        if labels:
            yield title, ", ".join(labels)
    for name, (one, two, change) in found.metrics.items():
        yield f"metrics {name}", _shown(one), _shown(two), "" if change is None else f"{change:+.4g}"
    for name, (a, b) in found.files.items():
        yield f"file {name}", _shown(a)[:16], _shown(b)[:16]


def key(
    file: Annotated[Path, typer.Argument(help="New file for the private key.")],
    encrypt: Annotated[bool, typer.Option("--encrypt", help="Ask for a passphrase and encrypt it.")] = False,
    as_json: Json = False,
) -> None:
    """Make a key for promotions or for releases; prints the public key for the settings."""
    with exit_codes():
        passphrase = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=True) if encrypt else ""
        public = new_key(file, passphrase)
    if as_json:
        print_json({"file": str(file), "public_key": public})
    else:
        out.print(f"public key, for models.approvers: {public}", highlight=False)


def sign(
    key: Annotated[Path, typer.Option("--key", help="Private key of the release.")],
    manifest: Annotated[Path | None, typer.Option("--manifest", help="The package's own when not given.")] = None,
    as_json: Json = False,
) -> None:
    """Sign the manifest, and with it every hash it pins (for releases, from a checkout)."""
    with exit_codes():
        target, public = signature.sign_manifest(key, _passphrase, manifest)
    if as_json:
        print_json({"signature": str(target), "public_key": public})
    else:
        out.print(f"{target}; check with: finslm models verify --release-key {public}", highlight=False)


def _decide(
    stage: Literal["approved", "retired"],
    name: str,
    digest: str | None,
    by: str,
    why: str,
    evaluation: Path | None,
    key: Path | None,
    directory: Path | None,
    *,
    as_json: bool,
) -> None:
    approval = open_approval(directory)
    model, meant_digest = (
        _to_retire(approval, name, digest) if stage == "retired" else _to_promote(approval, name, digest)
    )
    signer = approval.approvers.signer(by, key, _passphrase)
    fields: dict[str, Any] = {
        "origin": approval.approvers.origin,
        "model": model,
        "digest": meant_digest,
        "stage": stage,
        "by": by,
        "why": why,
        "evaluation": _sha256(evaluation),
    }

    def wanted(log: StageLog) -> dict[str, Any]:
        approval.approvers.check(log)  # as it is under the lock
        return fields

    entry = decide(approval.registry.models_dir, wanted, signer, check=approval.approvers.check_entry)
    approval = approval.reread(approval.log.head)
    current = approval.current(model)
    if as_json:
        print_json(_facts(entry) | {"current": current or None})
        return
    ref = versions.ref(model, meant_digest)
    out.print(f"{ref}: {stage} by {by}; decision {entry.decision.index}, head {entry.hash}", highlight=False)
    meant = versions.ref(model, current) if current else "the release's version, if it is not retired"
    out.print(
        f"{model} now means {meant}; SIGHUP makes the service see it where it is an adapter, else a restart",
        highlight=False,
    )


def _to_promote(approval: Approval, name: str, digest: str | None) -> tuple[str, str]:
    """Name and digest of a version that is here, whole and intact: what is decided on is what is there."""
    if digest is not None or "@" in name:
        model = approval.registry.resolve(name if digest is None else f"{name}@{digest}", verify=True)
        return model.identity.name, model.identity.digest
    candidates = approval.candidates(name)
    if len(candidates) != 1:
        listed = ", ".join(model.ref for model in candidates) or "none"
        raise ConfigError(f"model {name}: give --digest; candidates: {listed} (see: finslm models history {name})")
    model = approval.registry.resolve(candidates[0].ref, verify=True)
    return model.identity.name, model.identity.digest


def _to_retire(approval: Approval, name: str, digest: str | None) -> tuple[str, str]:
    """Name and digest of a version that is here, in whatever state, or that was once decided on."""
    name, given = versions.split(name)
    if digest is not None and given:
        raise ConfigError(f"model {name}: give the digest once, as NAME@DIGEST or by --digest")
    if digest is None:
        digest = given or approval.resolve(name).identity.digest
    installed = {state.installed.identity.digest for state in approval.registry.versions(name) if state.installed}
    known = installed | {entry.decision.digest for entry in approval.history(name)}
    if len(found := [each for each in known if len(digest) >= versions.LEAST_DIGITS and each.startswith(digest)]) != 1:
        listed = ", ".join(sorted(versions.ref(name, each) for each in known)) or "none"
        raise ConfigError(f"model {name}: no one version {digest[:64]!r}; known: {listed}")
    return name, found[0]


def _sha256(file: Path | None) -> str | None:
    try:
        return None if file is None else sha256_file(file)
    except OSError as error:
        raise ConfigError(f"--evaluation {file}: {error.strerror}") from error


def _facts(entry: Entry) -> dict[str, Any]:
    return entry.decision.model_dump(mode="json") | {"signed": bool(entry.signature), "head": entry.hash}


def _passphrase() -> str:
    return str(typer.prompt("Passphrase of the key", hide_input=True))


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)[:64]
