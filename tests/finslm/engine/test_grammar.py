"""Grammars: what is refused before anything is computed, what bounds the rest, and answers that keep to one."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from llguidance import LLParserLimits
from tokenizers import Tokenizer

from finslm.engine.grammar import KEPT, Grammars, token_table
from finslm.engine.local import LocalEngine
from finslm.engine.masks import MaskSource, combined
from finslm.engine.sampler import masked
from finslm.engine.schema_rules import MAX_DIVISOR, schema_for_decoder
from finslm.errors import FinslmError, InvalidRequest, TruncatedOutput
from finslm.tasks import Task, TaskKind
from finslm.tasks.base import conversation
from finslm.types import FinishReason, Grammar, Message, Prompt, SamplingParams
from redaction.text import RedactedText

END = 2
PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 8}, "age": {"type": "integer", "minimum": 0, "maximum": 99}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def grammar(kind: Any, *parts: str) -> Grammar:
    return Grammar(kind, tuple(map(RedactedText, parts)))


def schema(rules: Any) -> Grammar:
    return grammar("json_schema", json.dumps(rules))


@pytest.fixture(scope="module")
def tokenizer(tiny_dir: Path) -> Tokenizer:
    return Tokenizer.from_file(str(tiny_dir / "tokenizer.json"))


@pytest.fixture
def grammars(tokenizer: Tokenizer) -> Grammars:
    return Grammars(token_table(tokenizer.to_str(), tokenizer.get_vocab_size(), [0, 1, END]))


def allowed(source: MaskSource, token: int) -> bool:
    return bool(int(source.mask()[token >> 5]) >> (token & 31) & 1)


class TestMatcher:
    def test_the_end_is_allowed_only_where_the_answer_may_end(self, grammars: Grammars, tokenizer: Tokenizer) -> None:
        matcher = grammars.matcher(grammar("regex", "ab?"))
        a, b = tokenizer.encode("ab").ids
        assert (allowed(matcher, a), allowed(matcher, b), allowed(matcher, END)) == (True, False, False)
        matcher.take(a)
        assert (allowed(matcher, a), allowed(matcher, b), allowed(matcher, END)) == (False, True, True)
        assert not matcher.complete
        matcher.take(b)
        assert matcher.complete

    def test_the_lead_is_part_of_what_is_governed(self, grammars: Grammars, tokenizer: Tokenizer) -> None:
        lead = tokenizer.encode('{"name":').ids
        quote, brace = tokenizer.encode('"}').ids
        matcher = grammars.matcher(schema(PERSON), lead)
        assert (allowed(matcher, quote), allowed(matcher, brace)) == (True, False)
        with pytest.raises(InvalidRequest, match="begin with") as refused:
            grammars.matcher(schema(PERSON), tokenizer.encode("[").ids)
        assert refused.value.reason_override == "BAD_GRAMMAR"

    @pytest.mark.parametrize(
        ("asked", "text", "fits"),
        [
            (grammar("choice", "yes", "no"), "no", True),
            (grammar("choice", "a.c", "(d"), "abc", False),
            (grammar("choice", "a.c", "(d", 'é"\\n'), 'é"\\n', True),
            (grammar("regex", "a|bc"), "b", False),
            (grammar("regex", "<PERSON_[0-9]+>"), "<PERSON_12>", True),
            (schema(PERSON), '{"name":"x", "age": 7}', True),
            (schema(PERSON), '{"name": "x"', False),
            (schema(PERSON), '{"name":\n\n"x","age":7}', False),
            (schema({"type": "string", "description": "x", "x-own": 1}), '"abc"', True),
        ],
    )
    def test_a_text_fits_from_its_beginning_to_its_end(
        self, grammars: Grammars, asked: Grammar, text: str, fits: bool
    ) -> None:
        assert grammars.matcher(asked).accepts(text) is fits

    def test_a_token_has_to_suit_all_sources(self, grammars: Grammars, tokenizer: Tokenizer) -> None:
        sources = [grammars.matcher(grammar("regex", "[ab]c")), grammars.matcher(grammar("regex", "[bd]c"))]
        mask = combined(sources)
        assert mask is not None
        bits = np.unpackbits(mask.view(np.uint8), bitorder="little")
        assert [tokenizer.id_to_token(int(token)) for token in np.flatnonzero(bits)] == ["b"]
        assert combined([]) is None

    def test_answers_do_not_disturb_each_other_and_old_grammars_go(
        self, grammars: Grammars, tokenizer: Tokenizer
    ) -> None:
        first = grammars.matcher(grammar("regex", "ab"))
        first.take(tokenizer.encode("a").ids[0])
        for n in range(KEPT + 5):
            grammars.matcher(grammar("regex", f"ab{{{n + 1}}}"))
        assert len(grammars._compiled) == KEPT
        assert allowed(first, tokenizer.encode("b").ids[0])
        assert allowed(grammars.matcher(grammar("regex", "ab")), tokenizer.encode("a").ids[0])


@pytest.mark.parametrize(
    "asked",
    [
        grammar("regex", "a{1,1000000000}"),
        grammar("regex", "a{1001}"),
        grammar("regex", "((a{1,100}){1,100}){1,100}"),
        grammar("regex", "(" * 900 + "a" + ")*" * 900),
        grammar("regex", "a(?=b)"),
        grammar("regex", "x\\"),
        grammar("regex", "a" * 5000),
        grammar("regex", "[^\\x{0}-\\x{10ffff}]"),
        grammar("choice"),
        grammar("choice", "a", "a"),
        grammar("choice", "a" * 257),
        grammar("choice", "\ud800"),
        grammar("json_schema", "{"),
        grammar("json_schema", "[" * 60_000),
        grammar("json_schema", '{"type": "object", "type": "array"}'),
        grammar("json_schema", '{"const": "\\ud800"}'),
        grammar("json_schema", json.dumps({"description": "x" * 66_000})),
        schema({"type": "string", "minLength": 10**9}),
        schema({"type": "array", "items": {"type": "array", "minItems": 10**9}}),
        schema({"type": "string", "minLength": 5, "maxLength": 3}),
        schema({"allOf": [{"type": "string"}, {"type": "integer"}]}),
        schema({"allOf": [False]}),
        schema({"$ref": "#"}),
        schema({"$ref": "#/$defs/none"}),
        schema({"$ref": "http://127.0.0.1:9/x.json"}),
        schema({"$ref": "file:///etc/passwd"}),
        schema({"type": "string", "canary": 1}),
        schema({"not": {"type": "string"}}),
        schema({"type": "canary"}),
        schema({"properties": []}),
        schema({"type": "integer", "multipleOf": 9_999_991}),
        schema({"allOf": [{"type": "integer", "multipleOf": n} for n in (7, 11, 13, 17, 19, 23)]}),
        schema({"type": "number", "multipleOf": 1e-300}),
        grammar("json_schema", '{"multipleOf": 1e400}'),
        schema({"type": "number", "maximum": 1e300}),
        schema({"type": "object", "minProperties": 2}),
        schema({"type": "object", "patternProperties": {f"^{n}x.{{100}}": {} for n in range(250)}}),
        schema({"allOf": [{"type": "string", "pattern": f"(a|b)*{n}(a|b){{12}}"} for n in range(26)]}),
        schema({"$defs": {"a": {}}, "anyOf": [{"pattern": f"b{n}"} for n in range(9)], "$ref": "#/$defs/a"}),
        schema({"type": "object", "properties": {f"p{n}": {} for n in range(600)}}),
        schema({"const": "x" * 20_000}),
        schema({"allOf": [{"anyOf": [{"properties": {f"p{i}{j}": {}}} for j in range(4)]} for i in range(12)]}),
        schema({"type": "string", "pattern": "(a|b)*a(a|b){18}", "maxLength": 500, "minLength": 100}),
    ],
)
def test_what_cannot_be_followed_is_refused_without_being_quoted(grammars: Grammars, asked: Grammar) -> None:
    with pytest.raises(InvalidRequest) as refused:
        grammars.matcher(asked)
    assert refused.value.reason_override == "BAD_GRAMMAR"
    assert len(str(refused.value)) > 20
    assert "canary" not in str(refused.value)


def test_a_mask_without_a_word_allows_nothing() -> None:
    """Many tries: numpy once filled such a row from memory that something else had left."""
    for _ in range(50):
        leftovers = np.full(300, 255, np.uint8)
        del leftovers
        assert not np.isfinite(masked(np.ones(300, np.float32), np.zeros(0, np.uint32))).any()


def test_only_what_constrains_reaches_the_decoder() -> None:
    rules = {"title": "t", "properties": {"title": {"type": "string", "x-own": [1]}}, "x-guidance": {"lenient": True}}
    assert json.loads(schema_for_decoder(json.dumps(rules))) == {"properties": {"title": {"type": "string"}}}


def test_the_schema_of_a_task_is_followed_and_fits_how_its_answer_begins(
    grammars: Grammars, tokenizer: Tokenizer
) -> None:
    """Of a task that writes a document; those that ship find their fields instead."""
    rules = {"type": ["string", "null"], "maxLength": 140}
    schema = {"type": "object", "properties": {"amount": rules, "account": rules}, "required": ["amount", "account"]}
    task = Task(
        "order", TaskKind.EXTRACT, "An order.", lambda text: conversation("Do it.", text, prefill='{"amount":'),
        schema=schema,
    )  # fmt: skip
    assert task.grammar is not None
    lead = tokenizer.encode(task.render(RedactedText("x")).prefill.value).ids
    assert not grammars.matcher(task.grammar, lead).complete


HOSTILE = r"""
import json, resource, sys
from pathlib import Path
from tokenizers import Tokenizer
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
import numpy as np
from finslm.engine.grammar import Grammars, token_table
from finslm.errors import InvalidRequest
from finslm.types import Grammar
from redaction.text import RedactedText
tokenizer = Tokenizer.from_file(sys.argv[1])
grammars = Grammars(token_table(tokenizer.to_str(), tokenizer.get_vocab_size(), [2]))
random = np.random.default_rng(0)
for kind, text in json.loads(sys.argv[2]):
    try:
        matcher = grammars.matcher(Grammar(kind, (RedactedText(text),)))
        for _ in range(512):
            tokens = np.flatnonzero(np.unpackbits(matcher.mask().view(np.uint8), bitorder="little"))
            tokens = tokens[tokens > 2]
            if not len(tokens):
                break
            matcher.take(int(random.choice(tokens)))
        print("followed")
    except InvalidRequest as error:
        print(error.reason_override)
"""
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def test_hostile_grammars_take_bounded_time_and_memory(tiny_dir: Path) -> None:
    """Compiled and followed for 512 tokens in a process of 2 GiB and a minute; each ends with an answer or refusal."""
    cases = [
        ("regex", "(a|b)*a(a|b){900}"),
        ("regex", ".*a.{900}"),
        ("regex", "(.*a.{200}|.*b.{210}|.*c.{220})"),
        ("regex", ".*" * 2000),
        ("regex", "a?" * 1900),
        ("regex", "(" + "|".join(f".*{letter}.{{30}}" for letter in LETTERS) + ")"),
        ("json_schema", {"type": "array", "items": {"type": "string", "pattern": "(a|b)*a(a|b){30}"}}),
        (
            "json_schema",
            {"type": "array", "items": {"anyOf": [{"type": "string", "pattern": f".*{c}.{{200}}"} for c in LETTERS]}},
        ),
        ("json_schema", {"allOf": [{"type": "string", "pattern": f"(a|b)*{c}(a|b){{12}}"} for c in LETTERS[:8]]}),
        ("json_schema", {"allOf": [{"type": "string", "pattern": f".*{c}.*{d}.*"} for c in "abcd" for d in "ef"]}),
        ("json_schema", {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}),
        ("json_schema", {"type": "integer", "multipleOf": MAX_DIVISOR - 27}),
        ("json_schema", {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(490)}}),
        (
            "json_schema",
            {
                "$defs": {f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(60)}
                | {"a60": {"type": "string"}},
                "$ref": "#/$defs/a0",
            },
        ),
        (
            "json_schema",
            {
                "anyOf": [{"type": "array", "items": {"$ref": "#"}, "minItems": n} for n in range(40)],
            },
        ),
        ("json_schema", {"type": "array", "items": {"const": 1}, "minItems": 9000}),
        ("json_schema", {}),
    ]  # fmt: skip
    texts = [(kind, rules if isinstance(rules, str) else json.dumps(rules)) for kind, rules in cases]
    done = subprocess.run(
        [sys.executable, "-c", HOSTILE, str(tiny_dir / "tokenizer.json"), json.dumps(texts)],
        capture_output=True, text=True, check=False, timeout=120, env={"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": "."},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-500:]
    ends = done.stdout.split()
    assert len(ends) == len(cases)
    assert set(ends) == {"followed", "BAD_GRAMMAR"}


async def run(
    engine: LocalEngine, asked: Grammar | None, prefill: str = "", text: str = "hello", **params: Any
) -> tuple[str, FinishReason | None]:
    prompt = Prompt((Message("user", RedactedText(text)),), RedactedText(prefill))
    chunks = [chunk async for chunk in engine.generate(prompt, SamplingParams(**params), grammar=asked)]
    return "".join(chunk.text for chunk in chunks), chunks[-1].finish_reason


class TestAnswers:
    """A model of random weights, so what keeps to a grammar does so because of the mask."""

    @pytest.mark.parametrize("seed", range(3))
    async def test_every_answer_keeps_to_its_grammar(self, engine: LocalEngine, seed: int) -> None:
        text, reason = await run(engine, schema(PERSON), temperature=1.0, seed=seed)
        jsonschema.validate(json.loads(text), PERSON)
        assert reason is FinishReason.STOP
        text, _ = await run(engine, grammar("choice", "yes", "no", "nobody"), temperature=1.0, seed=seed)
        assert text in {"yes", "no", "nobody"}
        text, _ = await run(engine, grammar("regex", "[0-9]{3}-(x|yé)+"), temperature=1.0, seed=seed)
        assert re.fullmatch("[0-9]{3}-(x|yé)+", text)

    async def test_the_answer_goes_on_from_the_prefill(self, engine: LocalEngine) -> None:
        text, _ = await run(engine, schema(PERSON), prefill='{"name": "Z', temperature=1.0, seed=1)
        assert text.startswith('{"name": "Z')
        jsonschema.validate(json.loads(text), PERSON)

    @pytest.mark.parametrize("params", [{"max_tokens": 5}, {"stop": ('"age"',)}])
    async def test_what_ended_too_early_is_an_error(self, engine: LocalEngine, params: dict[str, Any]) -> None:
        with pytest.raises(TruncatedOutput, match="not whole"):
            await run(engine, schema(PERSON), **params)

    async def test_an_end_by_length_or_stop_string_is_fine_where_the_answer_may_end(self, engine: LocalEngine) -> None:
        go_on = tuple((token, -100.0) for token in (0, 1, END))
        assert await run(engine, grammar("regex", "a+"), max_tokens=3, logit_bias=go_on) == ("aaa", FinishReason.LENGTH)
        assert await run(engine, grammar("regex", "ab*"), stop=("b",), logit_bias=go_on) == (
            "a",
            FinishReason.STOP,
        )
        assert await run(engine, grammar("regex", "abc"), max_tokens=3) == ("abc", FinishReason.STOP)

    async def test_free_neighbours_write_what_they_write_alone(self, engine: LocalEngine) -> None:
        alone = [await run(engine, None, text=text, max_tokens=24) for text in ("one", "two")]
        *free, constrained, refused, cut = await asyncio.gather(
            *(run(engine, None, text=text, max_tokens=24) for text in ("one", "two")),
            run(engine, schema(PERSON)),
            run(engine, grammar("regex", "a(?=b)")),
            run(engine, schema(PERSON), max_tokens=2),
            return_exceptions=True,
        )
        assert free == alone
        assert isinstance(constrained, tuple)
        assert [type(refused), type(cut)] == [InvalidRequest, TruncatedOutput]

    async def test_a_grammar_that_gets_too_complex_fails_its_own_request(
        self, engine: LocalEngine, monkeypatch: pytest.MonkeyPatch, tokenizer: Tokenizer
    ) -> None:
        letter = tokenizer.encode("a").ids[0]
        monkeypatch.setattr("finslm.engine.grammar._LIMITS", LLParserLimits(max_lexer_states=8, verbose_errors=False))
        lost, kept = await asyncio.gather(
            run(engine, grammar("regex", "(a|b)*a(a|b){900}"), max_tokens=100, logit_bias=((letter, 100.0),)),
            run(engine, None, max_tokens=8),
            return_exceptions=True,
        )
        assert isinstance(lost, FinslmError)
        assert getattr(lost, "reason_override", None) == "BAD_GRAMMAR"
        assert isinstance(kept, tuple)
        assert await run(engine, None, max_tokens=8) == kept

    async def test_pieces_already_sent_stay_and_the_error_follows(self, build: Callable[..., LocalEngine]) -> None:
        engine = build()
        await engine.start()
        prompt = Prompt((Message("user", RedactedText("hello")),))
        pieces = []
        with pytest.raises(TruncatedOutput):
            async for chunk in engine.generate(prompt, SamplingParams(max_tokens=9), grammar=schema(PERSON)):
                pieces.append(chunk.text)
        assert re.match(r'\{ ?"', "".join(pieces))
        await engine.close()
