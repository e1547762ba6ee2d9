"""``finslm demo``: what ``make run`` shows. A real server process, real inputs, real answers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from finslm.errors import EngineUnavailable

if TYPE_CHECKING:
    from finslm.client import Client
    from finslm.config import Settings
    from finslm.rpc.results import AuditRecord, Result

DIGEST_CHARS = 64

START_LIMIT_S = 180.0
"""Time the server may take to say SERVING, seconds."""

COMPLAINT = (
    "My name is Margaret Holloway and I live at 27 Linden Avenue, Bristol BS8 3JD. On Tuesday you took a fee of "
    "GBP 35.00 from my account GB29 NWBK 6016 1331 9268 19 although I paid my card 4111 1111 1111 1111 in full. "
    "I called twice and nobody helped me. Please refund the fee and write to margaret.holloway@example.com."
)
HEADLINE = "Regional lender cuts its full-year profit forecast after bad loans double"
PAYMENT = (
    "Please transfer EUR 12,400.00 to Andreas Baumann, IBAN DE89 3704 0044 0532 0130 00, reference invoice 2023-118."
)
REPORT = """Segment results of Harcourt & Vale plc for the year, in GBP millions.

| | 2025 | 2024 |
|---|---|---|
| Net interest income | 412.6 | 388.1 |
| Fee income | 96.4 | 101.2 |
| Operating costs | (287.3) | (279.8) |

Operating costs rose because branches in Leeds were refurbished. Fee income fell after card fees were cut in March 2025.
"""
QUESTIONS = (
    "What is the percentage change in net interest income from 2024 to 2025?",
    "Why did operating costs rise?",
    "How many employees work at headquarters?",
)
MESSAGE = "I was charged twice for the same coffee, how do I get one of them back?"


def demo(
    stay: Annotated[
        bool, typer.Option("--stay/--no-stay", help="Keep serving afterwards until Ctrl-C.")
    ] = sys.stdout.isatty() and sys.stdin.isatty(),
) -> None:
    """Start the server, send real finance messages through it, show what happened; keep serving on a terminal."""
    from finslm.config import load

    settings = load()
    console = Console(width=None if sys.stdout.isatty() else 110)
    log = settings.audit.dir.parent / "server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        server = subprocess.Popen([sys.executable, "-m", "finslm", "serve"], stdout=out, stderr=out)
    try:
        _show(console, settings, server, log)
        if stay:
            console.print("[bold]Serving.[/] Press Ctrl-C to stop.")
            server.wait()
    except KeyboardInterrupt:
        console.print("\nStopping ...")
    finally:
        _stop(server)
    if server.returncode != 0:
        console.print(f"[bold red]The server ended with status {server.returncode}; see {log}[/]")
        raise typer.Exit(1)


def _show(console: Console, settings: Settings, server: subprocess.Popen[bytes], log: Path) -> None:
    from finslm.client import Client

    address = f"{settings.server.host}:{settings.server.port}"
    with Client(address) as client:
        with console.status("Starting the server: checking models and log, loading weights ..."):
            _wait_until_serving(client, server, log)
        console.rule("[bold]finslm: a customer's complaint, answered without the model seeing who wrote it")
        _show_complaint(console, client)
        console.rule("[bold]More tasks")
        _show_tasks(console, client)
        console.rule("[bold]Questions over a report: found, calculated, or said not to be there")
        _show_answers(console, client)
        console.rule("[bold]The audit log")
        verified = client.verify()
        table = _facts(
            ("log", str(settings.audit.dir)),
            ("records", f"{verified.tree_size}"),
            ("Merkle root", verified.root_hash),
            ("verified", "[bold green]yes, every record[/]" if verified.ok else "[bold red]NO[/]"),
            ("by hand", f"finslm audit verify --dir {settings.audit.dir}"),
        )
        console.print(table)
        console.rule("[bold]Metrics")
        url = f"http://{settings.admin.host}:{settings.admin.port}/metrics"
        console.print(_facts(("scrape", url), *_metrics(url)))
        console.print(_facts(("gRPC", address), ("server's log", str(log))))


def _wait_until_serving(client: Client, server: subprocess.Popen[bytes], log: Path) -> None:
    from finslm.client import ClientError

    limit = time.monotonic() + START_LIMIT_S
    while time.monotonic() < limit:
        if server.poll() is not None:
            raise EngineUnavailable(f"the server ended with status {server.returncode}; its log is {log}")
        try:
            if client.health(timeout_s=2.0) == "SERVING":
                return
        except ClientError:
            pass  # not listening yet; the limit above ends the wait
        time.sleep(0.2)
    raise EngineUnavailable(f"the server did not say SERVING within {START_LIMIT_S:.0f} s; its log is {log}")


def _show_complaint(console: Console, client: Client) -> None:
    redacted = client.redact(COMPLAINT)
    answer = client.generate(COMPLAINT, task="complaint_reply")
    console.print(Panel(COMPLAINT, title="what the customer wrote", border_style="blue"))
    console.print(Panel(_highlight(redacted.text), title="what the model saw", border_style="magenta"))
    console.print(
        Panel(Text(answer.text.strip()), title="what came back: the draft of a reply, restored", border_style="green")
    )
    console.print(_audit(client, answer))


def _show_tasks(console: Console, client: Client) -> None:
    table = Table(show_lines=True, expand=True)
    table.add_column("task", style="bold", no_wrap=True)
    table.add_column("input", ratio=3)
    table.add_column("answer", ratio=3)
    table.add_row("news_sentiment", Text(HEADLINE), _labels(client, HEADLINE, "news_sentiment"))
    table.add_row("payment_instruction", Text(PAYMENT), _payment(client))
    table.add_row("banking_intent", Text(MESSAGE), _labels(client, MESSAGE, "banking_intent"))
    table.add_row("complaint_summary", Text(COMPLAINT), Text(client.generate(COMPLAINT, task="complaint_summary").text))
    console.print(table)


def _show_answers(console: Console, client: Client) -> None:
    from finslm.cli.call import lines_of

    console.print(Panel(Text(REPORT.strip()), title="the report", border_style="blue"))
    table = Table(show_lines=True, expand=True)
    table.add_column("question", ratio=2)
    table.add_column("answer, how it was calculated, evidence with its score", ratio=3)
    for question in QUESTIONS:
        table.add_row(question, Text("\n".join(lines_of(client.answer(question, REPORT)))))
    console.print(table)


def _labels(client: Client, text: str, task: str) -> Text:
    return Text("\n".join(f"{score:.3f}  {label}" for label, score in client.classify(text, task=task).labels[:3]))


def _payment(client: Client) -> Text:
    from finslm.client import AbortedError

    try:
        document = json.loads(client.extract(PAYMENT, task="payment_instruction").json)
    except AbortedError as error:  # a real outcome: an answer that breaks the schema is refused, not passed on
        return Text(f"refused: {error.reason}", style="red")
    return Text(json.dumps(document, indent=1, ensure_ascii=False))


def _audit(client: Client, answer: Result) -> Panel:
    records = client.get_record(record_request_id=answer.request_id).records
    title = "what the audit log says of the reply: no text, only what happened"
    return Panel(Group(*map(_record, records)), title=title, border_style="yellow")


def _record(record: AuditRecord) -> Group:
    fields = json.loads(record.canonical_json)
    head = Text(
        f"record {record.index}  {fields.pop('kind')}  {fields.pop('time')}  leaf {record.leaf_hash[:16]}…", "bold"
    )
    shown = (f"{name} {_short(value)}" for name, value in fields.items() if name != "version")
    return Group(head, Text("  ".join(shown), style="dim"))


def _short(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}:{count}" for name, count in value.items())
    text = str(value)
    return f"{text[:12]}…" if len(text) == DIGEST_CHARS else text


def _metrics(url: str) -> list[tuple[str, str]]:
    wanted = (
        "finslm_requests_total{",
        "vllm:generation_tokens_total",
        "finslm_audit_healthy",
        "finslm_entities_total{",
    )
    with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 - the loopback address from our settings
        lines = response.read().decode().splitlines()
    shown = [line.rsplit(" ", 1) for line in lines if line.startswith(wanted)]
    return [(value.removesuffix(".0"), name) for name, value in shown]


def _facts(*rows: tuple[str, str]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", justify="right")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, value)
    return table


def _highlight(redacted: str) -> Text:
    text = Text(redacted)
    text.highlight_regex(r"<[A-Z_]+_\d+>", "bold magenta")
    return text


def _stop(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        server.send_signal(signal.SIGTERM)
    try:
        server.wait(timeout=30)
    except subprocess.TimeoutExpired:
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
