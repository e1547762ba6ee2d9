"""From a model's answer to a JSON document that may be trusted to have the form asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from referencing import Registry

from finslm.errors import InvalidOutput
from redaction.text import RedactedText

VERBATIM = "x-verbatim"
"""Schema keyword of ours: a value that does not stand in the text word for word was invented and becomes null."""
MENTIONED_AS = "x-mentioned-as"
"""Schema keyword of ours: words by value; a value none of whose words (nor itself) is in the text becomes null."""


def parse(answer: str, schema: Mapping[str, Any], source: RedactedText | None = None) -> str:
    """Find the JSON object in an answer and check it.

    The object starts at the first brace; words around it are dropped. An object that does not
    end is refused, also if a smaller one inside it does.

    Args:
        answer: what the model wrote, prefill included.
        schema: JSON Schema, draft 2020-12. Remote references are not followed.
        source: the text it was taken from. With it, top-level ``x-verbatim`` strings that do not stand
            in it (letter case and spaces aside) become null, so that nothing invented is passed on;
            the same for ``x-mentioned-as``. Placeholders that lost their angle brackets get them back.

    Returns:
        The object as compact JSON (RFC 8259), members in the order given.

    Raises:
        InvalidOutput: with the rule that was broken and where; never with a value.
    """
    document = _first_object(answer)
    check(document, schema)
    if source is not None:
        _ground(document, schema, source)
        check(document, schema)  # null may not be allowed
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def check(document: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Check a document against a schema.

    Raises:
        InvalidOutput: with the rule that was broken and where; never with a value.
    """
    validator = Draft202012Validator(schema, registry=Registry())  # an empty registry: no remote references
    errors = sorted(validator.iter_errors(document), key=lambda error: len(error.absolute_path))
    if errors:
        raise InvalidOutput(f"the answer breaks the schema: {_where_and_what(errors[0], schema)}")


def _ground(document: dict[str, Any], schema: Mapping[str, Any], source: RedactedText) -> None:
    for name, rules in schema.get("properties", {}).items():
        value = document.get(name)
        if not (isinstance(rules, Mapping) and isinstance(value, str)):
            continue
        if rules.get(VERBATIM) and f"<{value}>" in source.value:
            document[name] = f"<{value}>"
        elif rules.get(VERBATIM) and not _stands_in(value, source):
            document[name] = None
        elif words := rules.get(MENTIONED_AS):
            mentions = (value, *words.get(value, ()))
            document[name] = value if any(_stands_in(mention, source) for mention in mentions) else None


def _first_object(answer: str) -> dict[str, Any]:
    start = answer.find("{")
    if start < 0:
        raise InvalidOutput("the answer has no JSON object")
    decoder = json.JSONDecoder(object_pairs_hook=_without_duplicates, parse_constant=_refuse_constant)
    try:
        document, _ = decoder.raw_decode(answer, start)
    except json.JSONDecodeError as error:
        raise InvalidOutput(f"the answer is not JSON: {error.msg} at character {error.pos} of {len(answer)}") from None
    except RecursionError:
        raise InvalidOutput("the answer is not usable JSON: nested too deeply") from None
    return cast("dict[str, Any]", document)  # a JSON value that starts with a brace is an object


def _without_duplicates(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two members of one name: which one counts differs from reader to reader (RFC 8259, section 4)."""
    document = dict(members)
    if len(document) != len(members):
        raise InvalidOutput("the answer names a member twice")
    return document


def _refuse_constant(_: str) -> NoReturn:
    raise InvalidOutput("the answer is not JSON: NaN and Infinity are no JSON numbers")


def _where_and_what(error: ValidationError, schema: Mapping[str, Any]) -> str:
    """Rule and path; names the schema does not know are not shown, for the model may have made them of the text."""
    known = set(_property_names(schema))
    path = "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" if part in known else ".*" for part in error.absolute_path
    )
    return f"rule '{error.validator}' at ${path}"


def _property_names(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        yield from schema.get("properties", {})
        for part in schema.values():
            yield from _property_names(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _property_names(part)


def _stands_in(value: str, source: RedactedText) -> bool:
    """Whether a value stands in a text as whole words or numbers, letter case and width of spaces aside."""
    if not (words := value.casefold().split()):
        return False
    before = r"(?<!\w)(?<!\d[.,])" if words[0][0].isalnum() else ""
    after = r"(?!\w)(?![.,]\d)" if words[-1][-1].isalnum() else ""
    pattern = before + r"\s+".join(map(re.escape, words)) + after
    return re.search(pattern, source.value.casefold()) is not None
