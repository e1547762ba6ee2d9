"""``finslm policy``: check a redaction policy, explain what it does, and compare two of them."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from finslm.cli.texts import text_of
from redaction.errors import PolicyError
from redaction.policy import Policy, Resolved, resolve
from redaction.policy.check import Remark, check
from redaction.policy.diff import Change, Kind, diff
from redaction.policy.explain import Finding, Outcome, TypeFacts, explain_text, explain_types

app = typer.Typer(no_args_is_help=True, help="Check, explain and compare redaction policies.")

PolicyFile = Annotated[str, typer.Argument(help="Policy, YAML; or the name of a built-in one: finance.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

INVALID = 1
"""Exit status: the policy is invalid, or not what was asked for."""
UNUSABLE = 2
"""Exit status: a wrong call, or of ``explain`` and ``diff`` a policy that cannot be used."""

_WIDE = 100
"""Columns of a terminal on which it is also said what finds each type; ``--type`` says it on any."""

_STYLE = {
    Kind.WEAKER: "red",
    Kind.STRONGER: "green",
    Kind.CHANGED: "yellow",
    Outcome.REPLACED: "green",
    Outcome.KEPT: "yellow",
    Outcome.DROPPED: "red",
}


@app.command("check")
def check_(
    file: PolicyFile,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 also when there are warnings.")] = False,
    as_json: Json = False,
) -> None:
    """Say whether a policy is valid, and what in it a reviewer should look at."""
    try:
        resolved = resolve(file)
    except PolicyError as error:
        if as_json:
            _print_json({"valid": False, "error": str(error), "warnings": []})
        else:
            _console(err=True).print(Text.assemble(("invalid: ", "bold red"), str(error)))
        raise typer.Exit(INVALID) from None
    warnings = check(resolved)
    if as_json:
        _print_json({"valid": True, **_identity(resolved), "warnings": [asdict(warning) for warning in warnings]})
    else:
        _show_check(resolved, warnings)
    if warnings and strict:
        raise typer.Exit(INVALID)


@app.command()
def explain(
    file: PolicyFile,
    text: Annotated[
        str | None, typer.Option("--text", help="Say what happens to each finding in this text; '-': standard input.")
    ] = None,
    type_: Annotated[str | None, typer.Option("--type", help="Say everything about one type.")] = None,
    as_json: Json = False,
) -> None:
    """Say what a policy does to each type of data, or to each finding in a text, and which line says so."""
    if text is not None and type_ is not None:
        raise typer.BadParameter("give --text or --type, not both")
    with _exit_codes():
        resolved = resolve(file)
        if text is not None:
            _explain_text(resolved, text_of(text), as_json=as_json)
        else:
            _explain_types(resolved, type_, as_json=as_json)


@app.command("diff")
def diff_(
    a: PolicyFile,
    b: PolicyFile,
    fail_on_weaker: Annotated[
        bool, typer.Option("--fail-on-weaker", help="Exit with 1 when B protects less than A anywhere.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say what gets weaker and what stronger when policy B takes the place of A."""
    with _exit_codes():
        before, after = resolve(a), resolve(b)
    changes = diff(before, after)
    weaker = any(change.kind is Kind.WEAKER for change in changes)
    if as_json:
        said = {"a": _identity(before), "b": _identity(after), "weaker": weaker}
        _print_json({**said, "changes": [asdict(change) for change in changes]})
    else:
        _show_diff(changes)
    if weaker and fail_on_weaker:
        raise typer.Exit(INVALID)


@contextlib.contextmanager
def _exit_codes() -> Iterator[None]:
    try:
        yield
    except PolicyError as error:
        _console(err=True).print(Text.assemble(("error: ", "bold red"), str(error)))
        raise typer.Exit(UNUSABLE) from None


def _console(*, err: bool = False) -> Console:
    """Made when needed: it looks how wide the terminal is."""
    return Console(stderr=err, highlight=False, markup=False)


def _print_json(tree: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(tree, ensure_ascii=False, indent=2) + "\n")


def _identity(resolved: Resolved) -> dict[str, Any]:
    return {"name": resolved.policy.name, "digest": resolved.policy.digest, "layers": list(resolved.layers)}


def _heading(resolved: Resolved) -> Text:
    policy = resolved.policy
    based = f", based on {', '.join(resolved.layers[:-1])}" if len(resolved.layers) > 1 else ""
    return Text.assemble(("policy ", ""), (policy.name, "bold"), based, "\n", ("digest ", ""), policy.digest)


def _show_check(resolved: Resolved, warnings: Sequence[Remark]) -> None:
    console = _console()
    console.print(_heading(resolved))
    for warning in warnings:
        said = Text.assemble(("warning ", "yellow"), warning.message, "\n        ", (f"{warning.where}  ", "dim"))
        console.print(said.append(f"[{warning.code}]", "dim"))
    number = len(warnings)
    console.print(Text.assemble(("valid", "bold green"), f"; {number or 'no'} warning{'s' * (number != 1)}"))


def _show_diff(changes: Sequence[Change]) -> None:
    console = _console()
    if not changes:
        console.print("the same")
        return
    table = Table("", "what", "A", "B", "said by", box=None, pad_edge=False)
    for change in changes:
        kind = Text(change.kind, _STYLE[change.kind])
        table.add_row(kind, change.subject, change.before, change.after, Text(change.where, "dim"))
    console.print(table)
    counts = [f"{sum(change.kind is kind for change in changes)} {kind}" for kind in Kind]
    console.print(f"\n{', '.join(counts)}")


def _explain_types(resolved: Resolved, type_: str | None, *, as_json: bool) -> None:
    facts = explain_types(resolved)
    if type_ is not None:
        facts = [fact for fact in facts if fact.type == type_] or [_default_facts(resolved.policy, type_)]
    if as_json:
        _print_json({**_identity(resolved), "types": [asdict(fact) for fact in facts]})
    elif type_ is None:
        _show_types(resolved, facts)
    else:
        _show_type(resolved, facts[0])


def _default_facts(policy: Policy, type_: str) -> TypeFacts:
    """What would happen to a type that no part of this version finds."""
    return TypeFacts(type_, policy.default_action, policy.score_threshold, "", (), (), ())


def _show_types(resolved: Resolved, facts: Sequence[TypeFacts]) -> None:
    console, policy = _console(), resolved.policy
    console.print(_heading(resolved))
    console.print(f"any other type: {policy.default_action} from score {policy.score_threshold:g}\n")
    wide = console.width >= _WIDE
    names = ("type", "action", "from", "said by", *(["found by"] if wide else []))
    table = Table(*(Column(name, overflow="fold") for name in names), box=None, pad_edge=False)
    for fact in facts:
        found_by = ", ".join([*fact.found_by, *(["deny list"] if fact.deny else [])])
        score = "" if fact.threshold is None else f"{fact.threshold:g}"
        said_by = Text(fact.said_by or "default_action", "dim")
        table.add_row(fact.type, _action(fact.action), score, said_by, *([found_by] if wide else []))
    console.print(table)
    off = policy.switched_off
    if off.types or off.recognizers:
        console.print(Text(f"\nswitched off: {', '.join([*off.types, *off.recognizers])}", "red"))


def _show_type(resolved: Resolved, fact: TypeFacts) -> None:
    rows = {
        "type": fact.type,
        "action": fact.action,
        "from score": "never" if fact.threshold is None else f"{fact.threshold:g}",
        "said by": fact.said_by or "default_action",
        "found by": ", ".join(fact.found_by) or "nothing in this version",
        "allow": ", ".join(f"{n} ({resolved.allow_origins[n]})" for n in fact.allow) or "nothing",
        "deny": ", ".join(f"{n} ({resolved.deny_origins[n]})" for n in fact.deny) or "nothing",
    }
    table = Table(Column(no_wrap=True), Column(), show_header=False, box=None, pad_edge=False)
    for key, value in rows.items():
        table.add_row(Text(key, "dim"), _action(value) if key == "action" else value)
    _console().print(table)


def _action(action: str) -> Text:
    return Text(action, {"off": "red", "keep": "yellow"}.get(action, ""))


def _explain_text(resolved: Resolved, text: str, *, as_json: bool) -> None:
    from redaction import Redactor

    findings = explain_text(resolved, Redactor.from_policy(resolved.policy), text)
    if as_json:  # goes into files and logs: places, and no text
        _print_json({**_identity(resolved), "findings": [_as_json(finding) for finding in findings]})
        return
    console = _console()
    table = Table("", "text", "type", "found by", "score", "from", "why", box=None, pad_edge=False)
    for finding in findings:
        found = finding.detection
        table.add_row(
            Text(finding.outcome, _STYLE[finding.outcome]),
            Text(text[found.start : found.end]),  # the user's own, on the user's own terminal
            found.type,
            found.source,
            f"{found.score:.2f}",
            "" if finding.threshold is None else f"{finding.threshold:g}",
            Text(finding.why, "dim"),
        )
    console.print(table if findings else "nothing found")


def _as_json(finding: Finding) -> dict[str, Any]:
    return {
        **asdict(finding.detection),
        "threshold": finding.threshold,
        "action": finding.action,
        "outcome": finding.outcome,
        "why": finding.why,
    }
