"""Which grammars are accepted, and their form for the decoder. Everything here runs before the grammar library.

The library bounds its own work by counting it, but ignores keywords it does not know, and some work it does not count:
a ``multipleOf`` makes as many states as there are remainders (999,983: 10 s, 0.4 GB), and patterns that all have
to hold for one text double the work with each (18: 85 MB, 26: more than 2 GiB). So what it gets is built here, of
what is known to hold.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, NoReturn, final

import re2
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from finslm.errors import InvalidRequest

BAD_GRAMMAR: Final = "BAD_GRAMMAR"
MAX_SCHEMA_BYTES: Final = 65_536
MAX_RULES_BYTES: Final = 16_384
"""Of a schema without its annotations: text that a schema leaves no choice about is gone through at every token, some
0.3 ms for 1,000 characters."""
MAX_REGEX_CHARS: Final = 4_096
MAX_CHOICES: Final = 256
MAX_CHOICE_CHARS: Final = 256
MAX_DEPTH: Final = 32
"""Levels of JSON in a schema."""
MAX_SUBSCHEMAS: Final = 500
"""Time to compile grows with the square of an object's optional members: 500 take some 30 ms."""
MAX_COMBINED: Final = 8
"""Patterns and formats where some may have to hold for one text, and ``patternProperties`` at all."""
MAX_REPEATS: Final = 1_000
MAX_DIVISOR: Final = 10_000
"""Product of all ``multipleOf``, decimal points aside; 10,000 take 30 ms to compile."""
MAX_MINIMUM: Final = 10_000
"""Of ``minLength`` and ``minItems``: no answer is that long."""
MAX_NUMBER: Final = 10**15
"""Numbers beyond are not exact in every reader."""

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_MAPS: Final = _words("properties patternProperties $defs definitions")
_LISTS: Final = _words("anyOf oneOf allOf prefixItems")
_SINGLE: Final = _words("items additionalProperties")
_LEADING: Final = _words("$ref anyOf oneOf")
_DEFINITIONS: Final = _words("$defs definitions")
_RULES: Final = _words(
    "$ref const enum type required pattern format multipleOf minLength maxLength minItems maxItems minProperties "
    "maxProperties minimum maximum exclusiveMinimum exclusiveMaximum"
)
_ANNOTATIONS: Final = _words(
    "$schema $comment title description default deprecated readOnly writeOnly examples contentMediaType contentEncoding"
)
_KNOWN: Final = _MAPS | _LISTS | _SINGLE | _RULES | _ANNOTATIONS
WORDS: Final = _KNOWN | _words("object array string number integer boolean null") | {_DRAFT}
"""What a schema says without saying anything of its own."""
_UNSUPPORTED: Final = _words(
    "not if then else contains minContains maxContains uniqueItems dependentRequired dependentSchemas dependencies "
    "propertyNames unevaluatedItems unevaluatedProperties additionalItems $id id $anchor $dynamicRef $dynamicAnchor "
    "$vocabulary $recursiveRef $recursiveAnchor contentSchema"
)
"""Words of the standard, which may be named in an error; any other may be a caller's own."""

_REPEAT: Final = re.compile(r"\{\s*([0-9]*)\s*(?:,\s*([0-9]*)\s*)?\}", re.ASCII)
_OPTIONS: Final = re2.Options()
_OPTIONS.log_errors = False  # it would print the pattern
_OPTIONS.max_mem = 1 << 20  # bytes; refuses what multiplies repeats


def refuse(message: str) -> InvalidRequest:
    """The error of a grammar that is not accepted."""
    return InvalidRequest(message, reason=BAD_GRAMMAR)


def check_regex(pattern: str, where: str = "the regular expression") -> str:
    """Return a regular expression that is one, with repeats of at most 1,000 (RE2's rule, nested ones multiplied).

    Raises:
        InvalidRequest: why not; never with the expression itself.
    """
    if not 1 <= len(pattern) <= MAX_REGEX_CHARS:
        raise refuse(f"{where} has {len(pattern)} characters: it must have 1 to {MAX_REGEX_CHARS}")
    _check_unicode(pattern, where)
    if any(int(count) > MAX_REPEATS for match in _REPEAT.findall(pattern) for count in match if count):
        raise refuse(f"{where} repeats something more than {MAX_REPEATS} times")  # RE2 takes {9999999999} for text
    try:
        re2.compile(pattern, _OPTIONS)
    except re2.error:
        raise refuse(
            f"{where} is not valid or too large: RE2 syntax is needed, without look-around and back references, and "
            f"repeats of at most {MAX_REPEATS} with nested ones multiplied"
        ) from None
    return pattern


def regex_of_choices(choices: Sequence[str]) -> str:
    """A regular expression that matches the choices and nothing else.

    Raises:
        InvalidRequest: none, too many, an empty one, too long, or one twice.
    """
    if not 1 <= len(choices) <= MAX_CHOICES:
        raise refuse(f"there are {len(choices)} choices: 1 to {MAX_CHOICES} are possible")
    for choice in choices:
        if not 1 <= len(choice) <= MAX_CHOICE_CHARS:
            raise refuse(f"a choice has {len(choice)} characters: it must have 1 to {MAX_CHOICE_CHARS}")
        _check_unicode(choice, "a choice")
    if len(set(choices)) < len(choices):
        raise refuse("a choice is there twice: name each once")
    return "|".join("".join(f"\\x{{{ord(char):x}}}" for char in choice) for choice in choices)


def read_schema(source: str) -> Any:
    """A JSON Schema from its text, as JSON; nothing of its meaning is looked at.

    Raises:
        InvalidRequest: too long, not JSON, no object, or nested too deeply.
    """
    if not 1 <= len(source.encode("utf-8", "surrogatepass")) <= MAX_SCHEMA_BYTES:
        raise refuse(f"the JSON Schema must have 1 to {MAX_SCHEMA_BYTES} bytes: shorten it")
    _check_unicode(source, "the JSON Schema")
    try:
        schema = json.loads(source, object_pairs_hook=_without_duplicates, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise refuse("the JSON Schema is not JSON (RFC 8259), or is nested too deeply") from None
    if not isinstance(schema, dict):
        raise refuse("the JSON Schema must be a JSON object")
    if _depth(schema) > MAX_DEPTH:
        raise refuse(f"the JSON Schema is nested more than {MAX_DEPTH} levels deep: flatten it")
    _check_unicode(json.dumps(schema, ensure_ascii=False), "the JSON Schema")  # JSON can escape half a pair
    return schema


def schema_for_decoder(source: str) -> str:
    """Check a JSON Schema and return what of it constrains, as JSON text.

    Draft 2020-12 without ``not``, ``if``, ``contains``, ``uniqueItems``, ``dependent*``, ``propertyNames``,
    ``unevaluated*``, identifiers, dynamic and remote references; ``pattern`` is RE2. Annotations and names that begin
    with ``x-`` constrain nothing.

    Raises:
        InvalidRequest: what is wrong and where; the path shows keywords and no other word of the schema.
    """
    rules = _Rules()
    kept = rules.schema(read_schema(source), "$")
    rules.finish()
    try:
        Draft202012Validator.check_schema(kept)
    except SchemaError as error:
        raise refuse(f"not a JSON Schema (draft 2020-12): rule '{error.validator}' broken at {_shown(error)}") from None
    text = json.dumps(kept)
    if len(text) > MAX_RULES_BYTES:
        raise refuse(f"the JSON Schema's rules take {len(text)} bytes, the limit is {MAX_RULES_BYTES}: ask for less")
    return text


@final
class _Rules:
    """One walk over a schema: keeps what constrains and refuses what would not hold."""

    def __init__(self) -> None:
        self._count = self._patterns = self._named_patterns = 0
        self._combines = False
        self._divisors: set[Decimal] = set()

    def schema(self, schema: Any, path: str) -> Any:
        """What of it constrains. ``path`` may be shown."""
        self._count += 1
        if self._count > MAX_SUBSCHEMAS:
            raise refuse(f"the JSON Schema has more than {MAX_SUBSCHEMAS} schemas inside: ask for less")
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, dict):
            raise refuse(f"the JSON Schema has no schema at {path}: an object or a boolean is needed")
        if schema.get("$schema", _DRAFT) != _DRAFT:
            raise refuse(f"the $schema at {path} must be {_DRAFT}")
        rules = {key: value for key, value in schema.items() if key not in _ANNOTATIONS and not key.startswith("x-")}
        leading = _LEADING.intersection(rules)
        self._combines |= "allOf" in rules or (len(leading) > 0 and len(rules.keys() - _DEFINITIONS) > 1)
        return {key: self._member(key, value, path) for key, value in rules.items()}

    def finish(self) -> None:
        """What can be said only after the walk."""
        if self._named_patterns > MAX_COMBINED:
            raise refuse(f"the JSON Schema has more than {MAX_COMBINED} patternProperties: use fewer")
        if self._combines and self._patterns > MAX_COMBINED:
            raise refuse(
                f"the JSON Schema has more than {MAX_COMBINED} patterns and formats, and allOf, or a $ref, anyOf or "
                "oneOf beside other rules: use fewer, or none of those"
            )
        digits = max((-int(divisor.as_tuple().exponent) for divisor in self._divisors), default=0)
        if math.prod(int(divisor.scaleb(max(digits, 0))) for divisor in self._divisors) > MAX_DIVISOR:
            raise refuse(f"the multipleOf of the JSON Schema, multiplied, exceed {MAX_DIVISOR}: use smaller ones")

    def _member(self, key: str, value: Any, path: str) -> Any:
        if key not in _KNOWN:
            named = f" ({key})" if key in _UNSUPPORTED else ""
            raise refuse(f"the JSON Schema has a keyword at {path} that is not supported{named}: leave it out")
        path = f"{path}.{key}"
        if key in _MAPS and isinstance(value, dict):
            if key == "patternProperties":
                self._named_patterns += len(value)
                for pattern in value:
                    check_regex(pattern, f"a pattern at {path}")
            return {name: self.schema(part, f"{path}.*") for name, part in value.items()}
        if key in _LISTS and isinstance(value, list):
            return [self.schema(part, f"{path}[{n}]") for n, part in enumerate(value)]
        if key in _SINGLE:
            return self.schema(value, path)
        self._check(key, value, path)
        return value

    def _check(self, key: str, value: Any, path: str) -> None:
        """What the meta-schema does not say. Wrong types it does."""
        if key == "$ref" and isinstance(value, str) and not value.startswith("#"):
            raise refuse(f"{path} leads out of the document: such as #/$defs/name is needed")
        self._patterns += key in ("pattern", "format")
        if key == "pattern" and isinstance(value, str):
            check_regex(value, f"the pattern at {path}")
        elif key == "multipleOf" and _is_number(value) and value > 0:
            self._divisors.add(Decimal(repr(value)).normalize())
        elif key in ("minLength", "minItems") and _is_number(value) and value > MAX_MINIMUM:
            raise refuse(f"{path} is over {MAX_MINIMUM}: no answer is that long")
        elif key == "minProperties" and _is_number(value) and value > 1:
            raise refuse(f"{path} is over 1, and a member could be written twice: list names in 'required'")
        if any(abs(number) > MAX_NUMBER for number in _numbers(value)):
            raise refuse(f"{path} holds a number beyond 10^15, where numbers are not exact")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _numbers(value: Any) -> list[float]:
    if isinstance(value, dict | list):
        parts = value.values() if isinstance(value, dict) else value
        return [number for part in parts for number in _numbers(part)]
    return [value] if _is_number(value) else []


def _shown(error: SchemaError) -> str:
    return "$" + "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" if part in _KNOWN else ".*" for part in error.absolute_path
    )


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level and depth <= MAX_DEPTH:
        depth += 1
        inner = [part for part in level if isinstance(part, dict | list)]
        level = [part for each in inner for part in (each.values() if isinstance(each, dict) else each)]
    return depth


def _without_duplicates(members: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(members)
    if len(document) != len(members):
        raise refuse("the JSON Schema names a member twice")
    return document


def _refuse_constant(_: str) -> NoReturn:
    raise refuse("the JSON Schema is not JSON: NaN and Infinity are no JSON numbers")


def _check_unicode(text: str, where: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise refuse(f"{where} holds half a surrogate pair: send valid Unicode") from None
