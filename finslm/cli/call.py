"""``finslm generate | classify | extract | answer | health``: calls to a running server."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from finslm.cli.texts import text_of
from finslm.errors import InvalidRequest

if TYPE_CHECKING:
    from finslm.client import Client
    from finslm.rpc.results import AnswerFound

Address = Annotated[str, typer.Option(help="host:port of the server.")]
TokenFile = Annotated[Optional[Path], typer.Option(help="File with the bearer token; needed off loopback.")]
CaFile = Annotated[Optional[Path], typer.Option(help="CA of the server's certificate, PEM: switches TLS on.")]
Timeout = Annotated[float, typer.Option(help="Deadline, seconds.")]
Text = Annotated[str, typer.Argument(help="The text; '-': standard input.")]
Json = Annotated[bool, typer.Option("--json", help="Print everything as one JSON object.")]
DEFAULT_ADDRESS = "127.0.0.1:50051"
NOT_FOUND = 3
"""Exit status where the document does not answer."""


def generate(
    text: Text,
    task: Annotated[str, typer.Option(help="Task.")] = "assist",
    address: Address = DEFAULT_ADDRESS,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    timeout: Timeout = 60.0,
    as_json: Json = False,
) -> None:
    """Ask for an answer and print it as it comes."""
    with to_server(address, token_file, ca_file) as client:
        if as_json:
            print_result(client.generate(text_of(text), task=task, timeout_s=timeout))
            return
        stream = client.generate_stream(text_of(text), task=task, timeout_s=timeout)
        for piece in stream:
            sys.stdout.write(piece)
            sys.stdout.flush()
        sys.stdout.write("\n")
        if not_there := [stream.result.text[fact.start : fact.end] for fact in stream.result.unsupported]:
            sys.stderr.write(f"not in the text: {', '.join(not_there)}\n")


def classify(
    text: Text,
    task: Annotated[
        Optional[str], typer.Option(help="Task; banking_intent, or choose_label with --labels, when not given.")
    ] = None,
    labels: Annotated[str, typer.Option(help="Labels to choose from: a,b,c.")] = "",
    abstain_below: Annotated[
        Optional[float], typer.Option(help="Say 'abstained' where the best probability is below.")
    ] = None,
    top: Annotated[int, typer.Option(help="Labels to print.")] = 5,
    address: Address = DEFAULT_ADDRESS,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    timeout: Timeout = 60.0,
    as_json: Json = False,
) -> None:
    """Score the labels of a task, or those given, and print the likeliest."""
    named = [label.strip() for label in labels.split(",")] if labels else []
    chosen = task or ("choose_label" if named else "banking_intent")
    with to_server(address, token_file, ca_file) as client:
        found = client.classify(
            text_of(text), task=chosen, labels=named, abstain_below=abstain_below, timeout_s=timeout
        )
    if as_json:
        print_result(found)
        return
    if found.abstained:
        sys.stdout.write(f"abstained: below {abstain_below}\n")
    for label, score in found.labels[:top]:
        sys.stdout.write(f"{score:7.4f}  {label}\n")


def extract(
    text: Text,
    task: Annotated[str, typer.Option(help="Task.")] = "payment_instruction",
    address: Address = DEFAULT_ADDRESS,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    timeout: Timeout = 60.0,
    as_json: Json = False,
) -> None:
    """Fill a task's JSON schema from a text and print the document."""
    with to_server(address, token_file, ca_file) as client:
        found = client.extract(text_of(text), task=task, timeout_s=timeout)
    if as_json:
        print_result(found)
        return
    sys.stdout.write(json.dumps(json.loads(found.json), indent=2, ensure_ascii=False) + "\n")


def answer(
    question: Annotated[str, typer.Argument(help="The question.")],
    document: Annotated[Path, typer.Option(help="File with the document, UTF-8; '-': standard input.")],
    address: Address = DEFAULT_ADDRESS,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    timeout: Timeout = 60.0,
    as_json: Json = False,
) -> None:
    """Answer a question from a document and print it with its evidence; exit status 3 where it is not there."""
    text = text_of("-") if str(document) == "-" else _read(document)
    with to_server(address, token_file, ca_file) as client:
        found = client.answer(question, text, timeout_s=timeout)
    if as_json:
        print_result(found)
    else:
        sys.stdout.write("\n".join(lines_of(found)) + "\n")
    if not found.found:
        raise typer.Exit(NOT_FOUND)


def lines_of(found: AnswerFound) -> list[str]:
    """An answer for people: what it is, how it was calculated, what it rests on."""
    head = found.text if found.found else found.abstention.lower().replace("_", " ")
    figures = ", ".join(f"#{number} {cited.text}" for number, cited in enumerate(found.citations, 1))
    program = [f"= {found.program}, {figures}"] if found.program else []
    return [head, *program, *(f"{each.score:.3f}  {each.cited.text}" for each in found.evidence)]


def health(
    address: Address = DEFAULT_ADDRESS,
    service: Annotated[str, typer.Option(help="gRPC service; empty: the whole server.")] = "",
    ca_file: CaFile = None,
    timeout: Timeout = 5.0,
) -> None:
    """Print the health status; exit status 0 only when it is SERVING."""
    with to_server(address, None, ca_file) as client:
        status = client.health(service, timeout_s=timeout)
    typer.echo(status)
    if status != "SERVING":
        raise typer.Exit(1)


def to_server(address: str, token_file: Path | None, ca_file: Path | None) -> Client:
    """A client of the server that the options name."""
    from finslm.client import Client, Tls

    token = _read(token_file).strip() if token_file else None
    return Client(address, token=token, tls=Tls(ca_file=str(ca_file)) if ca_file else None)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{path}: {type(error).__name__}: a readable UTF-8 file is wanted") from None


def print_result(result: Any) -> None:
    """Everything, as one JSON object."""
    sys.stdout.write(json.dumps(asdict(result), indent=2, ensure_ascii=False, default=str) + "\n")
