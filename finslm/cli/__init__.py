"""The ``finslm`` command. Each subcommand is a thin function over the library."""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from finslm.cli import (
    audit,
    audit_subject,
    audit_tools,
    bench,
    call,
    compliance,
    compliance_page,
    demo,
    distil,
    doctor,
    evaluate,
    feedback,
    finetune,
    model_export,
    model_stages,
    models,
    policy,
    pretrain,
    redact,
    serve,
    vault,
    witness,
)
from finslm.client import ClientError
from finslm.errors import FinslmError
from redaction.errors import RedactionError

app = typer.Typer(
    name="finslm",
    help="A finance language model on confidential data, and no byte leaves.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(serve.serve)
app.command()(demo.demo)
app.command()(redact.redact)
app.command()(call.generate)
app.command()(call.classify)
app.command()(call.extract)
app.command()(call.answer)
app.command()(call.health)
app.command()(doctor.doctor)
app.command()(bench.bench)
app.command()(pretrain.pretrain)
app.command()(finetune.finetune)
app.command()(distil.distil)
app.command()(evaluate.evaluate)
for command in (
    model_stages.add,
    model_stages.promote,
    model_stages.retire,
    model_stages.history,
    model_stages.diff,
    model_stages.key,
    model_stages.sign,
    model_export.export,
):
    models.app.command()(command)
app.add_typer(models.app, name="models")
app.add_typer(policy.app, name="policy")
app.add_typer(vault.app, name="vault")
app.add_typer(feedback.app, name="feedback")
for tool in (audit_tools.export, audit_tools.receipt, audit_tools.schema, audit_tools.rotate_key):
    audit.app.command()(tool)
audit.app.command("prune")(audit_tools.prune_now)
audit.app.add_typer(audit_tools.hold, name="hold")
audit.app.add_typer(audit_subject.app, name="subject")
app.add_typer(audit.app, name="audit")
compliance.app.command()(compliance_page.serve)
app.add_typer(compliance.app, name="compliance")
app.add_typer(witness.app, name="witness")


def main() -> None:
    """Run the command line; an error we know is one line on standard error and exit status 1."""
    try:
        app()
    except (FinslmError, RedactionError, ClientError) as error:
        Console(stderr=True).print(f"[bold red]finslm:[/] {type(error).__name__}: ", end="")
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None
