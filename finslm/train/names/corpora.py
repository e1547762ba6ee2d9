"""Natural text: labelled by people, plain prose for others to label, complaints whose masks are filled, messages.

The data sets are not part of the project; the model card names them and their licences.
"""

from __future__ import annotations

import csv
import json
import random
import re
from collections.abc import Iterable, Iterator
from itertools import chain, zip_longest
from pathlib import Path
from typing import Final

from finslm.train.names.grammar import Scene, assemble
from finslm.train.names.makers import Makers
from finslm.train.names.masks import filled
from finslm.train.names.noise import rebuilt
from finslm.train.names.plain import PlainLabels
from finslm.train.names.sample import Sample

_SHORTEST, _LONGEST = 40, 400
"""Characters of one passage."""
_CONLL: Final = (
    ("wnut17/wnut17train.conll", "\t"),
    ("wnut17/emerging.dev.conll", "\t"),
    ("ner_fin_sec/FIN5_train.txt", " "),
)
_TAGS: Final = {
    "person": "PERSON", "PER": "PERSON", "location": "LOCATION", "LOC": "LOCATION",
    "corporation": "ORGANIZATION", "group": "ORGANIZATION", "ORG": "ORGANIZATION",
}  # fmt: skip
_ROLES: Final = frozenset(
    (  # noqa: SIM905
        "lender lenders borrower borrowers agent company guarantor bank banks executive parent holder employee "
        "landlord tenant seller buyer purchaser trustee issuer investor party parties lessor lessee sublandlord "
        "subtenant administrative logo"
    ).split()
)
"""Roles in a contract, which one of the sets tags as persons and organisations."""
_SENTENCE: Final = re.compile(r'(?<=[.!?])\s+(?=[A-Z"“])')
_NO_SPACE_BEFORE: Final = frozenset(
    (*".,;:!?)]}%", "'s", "'m", "'re", "'ve", "'ll", "'d", "n't", "''", ',"', '."', "’s")
)
_NO_SPACE_AFTER: Final = frozenset(("(", "[", "{", "$", "#", "``"))
Token = tuple[str, str]


def gold(data: Path, makers: Makers, seed: int, *, swap: float = 0.5) -> Iterator[Sample]:
    """Sentences labelled by people, each name replaced by an invented one of its kind with probability ``swap``.

    Args:
        data: folder of the data sets.
        makers: what invents names.
        seed: of the random source.
        swap: 0 leaves every name as it was.
    """
    rng = random.Random(seed)  # noqa: S311 - text for training, no secret
    labels = PlainLabels(makers)
    for name, parting in _CONLL:
        for block in re.split(r"\n\s*\n", (data / name).read_text("utf-8")):
            rows = [line.split(parting) for line in block.splitlines() if line.strip()]
            tokens = [(row[0], row[-1]) for row in rows if row[0] != "-DOCSTART-"]
            sentence = _joined(_mended(tokens), spaced=rng.random() < 0.4)
            if 15 < len(sentence.text) < 600 and not _looks_wrong(sentence, tokens):
                yield labels.added(swapped(sentence, makers, rng, swap))


def _mended(tokens: list[Token]) -> list[Token]:
    """Roles are nobody's name; what stands behind a firm's comma (``, Inc``) belongs to it."""
    fixed: list[Token] = []
    for word, tag in tokens:
        bare = word.strip('"(),.').lower()
        kind = _TAGS.get(tag[2:])
        if kind and (bare in _ROLES or (tag.endswith(("ORG", "PER")) and word.islower())):
            kind = None
        firm = len(fixed) > 1 and fixed[-1][0] == "," and fixed[-2][1] == "ORGANIZATION"
        if firm and bare in ("inc", "llc", "ltd", "l.p", "corp", "n.a", "limited"):
            fixed[-1], kind = (",", "ORGANIZATION"), "ORGANIZATION"
        begins = tag.startswith("B-") and fixed and fixed[-1][1] == kind
        fixed.append((word, ("B " if begins else "") + kind if kind else "O"))
    return fixed


def _looks_wrong(sentence: Sample, tokens: list[Token]) -> bool:
    """Streets tagged word by word, and sentences whose names were all overlooked."""
    street = any(tag.endswith("LOC") and word[:1].isdigit() for word, tag in tokens)
    titled = re.search(r"\b(?:Mr|Mrs|Ms|Dr) \.? ?[A-Z]|\b(?:Street|Avenue|Blvd|Suite|Drive)\b", sentence.text)
    return street or (titled is not None and not sentence.spans)


def _joined(tokens: list[Token], *, spaced: bool) -> Sample:
    """Words to text, with a space between any two (``spaced``) or as one would write them."""
    text, spans, before = "", list[tuple[int, int, str]](), ""
    for word, tag in tokens:
        glued = not spaced and (word in _NO_SPACE_BEFORE or before in _NO_SPACE_AFTER)
        gap = "" if not text or glued else " "
        start = len(text) + len(gap)
        text += gap + word
        kind, new = tag.removeprefix("B "), tag.startswith("B ")
        if kind != "O":
            if not new and spans and before and spans[-1][2] == kind and spans[-1][1] == start - len(gap):
                spans[-1] = (spans[-1][0], len(text), kind)
            else:
                spans.append((start, len(text), kind))
        before = word
    return Sample(text, tuple(spans))


def swapped(sample: Sample, makers: Makers, rng: random.Random, share: float) -> Sample:
    """Put invented names in the place of a share of the names."""
    written = list(sample.text)
    for start, end, type_ in sample.spans:
        if rng.random() >= share:
            continue
        value = sample.text[start:end]
        rules = {
            "PERSON": "person" if " " in value else "part",
            "LOCATION": "city",
            "ORGANIZATION": "org",
            "NRP": "nrp",
        }
        if type_ in rules:
            new = makers.say("swap_" + rules[type_], rng)
            case = str.lower if value.islower() else str.upper if value.isupper() and len(value) > 4 else str
            written[start:end] = [case(new), *[""] * (end - start - 1)]
    return rebuilt(sample, written)


def sentences(data: Path) -> Iterator[str]:
    """Sentences and short passages of 40 to 400 characters without labels, sources taking turns."""
    files = (
        "fed_dapt/fed_texts.jsonl",
        "edgar_dapt/edgar_crawler_items.jsonl",
        "cfpb_complaints/cfpb_narratives.jsonl",
    )
    sources: list[Iterator[str]] = [_texts(data / name) for name in files]
    sources += [_tatqa(data / "tatqa" / "tatqa_dataset_dev.json"), _finqa(data / "finqa" / "flare_valid.jsonl")]
    for turn in zip_longest(*[chain.from_iterable(map(passages, source)) for source in sources]):
        yield from (passage for passage in turn if passage is not None and "XX" not in passage)


def _texts(file: Path) -> Iterator[str]:
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            yield re.sub(r"\{(\$[\d.,]+)\}", r"\1", json.loads(line)["text"])


def _tatqa(file: Path) -> Iterator[str]:
    for item in json.loads(file.read_text("utf-8")):
        yield from (paragraph["text"] for paragraph in item["paragraphs"])


def _finqa(file: Path) -> Iterator[str]:
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            asked = json.loads(line)["conversations"][0]["value"]
            yield asked.partition("Context:")[2].partition("\n|")[0].strip()


def passages(text: str) -> Iterator[str]:
    """Cut a text at its sentences into passages."""
    kept = ""
    for number, sentence in enumerate(_SENTENCE.split(re.sub(r"[ \t]+", " ", text))):
        kept = f"{kept} {sentence}".strip()
        if len(kept) >= (_SHORTEST, 120, 250)[number % 3]:
            if len(kept) <= _LONGEST and sum(map(str.isalpha, kept)) > len(kept) * 0.6:
                yield kept
            kept = ""


def complaints(data: Path, makers: Makers, seed: int) -> Iterator[Sample]:
    """Passages of complaints with filled masks. Other capitalised words inside of sentences are UNKNOWN."""
    rng = random.Random(seed)  # noqa: S311 - text for training, no secret
    labels = PlainLabels(makers)
    with (data / "cfpb_complaints" / "cfpb_narratives.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            for passage in passages(json.loads(line)["text"]):
                if "XX" in passage and (whole := filled(passage, makers, rng)) is not None:
                    yield labels.doubted(labels.added(whole))


_TALKATIVE: Final = re.compile(
    "travel|weather|flight|direction|translat|visa|plug|vaccin|timezone|time|restaurant|meal|distance|"
    "traffic|date|holiday|calendar|remind|gas|uber|rental|hotel|carry|lost_luggage|song|music|name|"
    "origin|age|who|where|play|definition|spelling|currency|exchange|oos|text|call|country|nutrition|recipe|food|dish|change_user|reserv|busy"
)
"""CLINC150 intents whose messages often hold a name."""


def messages(data: Path, makers: Makers, seed: int, *, planted: float = 0.2) -> Iterator[Sample]:
    """What people write to an assistant or a bank, almost without names; to a share a line with one is added."""
    rng = random.Random(seed)  # noqa: S311 - text for training, no secret
    labels = PlainLabels(makers)
    with (data / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    train = json.loads((data / "clinc150" / "data_full.json").read_text("utf-8"))["train"]
    texts += [text for text, intent in train if not _TALKATIVE.search(intent)]
    rng.shuffle(texts)
    for text in _nameless(texts, labels):
        if rng.random() < planted:
            rule = rng.choice(("chat_line", "intro", "opener", "name_after"))
            pieces = makers.grammar.expand(rule, Scene(rng))
            order = [(text, None), (rng.choice((" ", ". ", " - ", "\n")), None), *pieces]
            yield labels.added(assemble(order if rng.random() < 0.6 else [*pieces, (" ", None), (text, None)]))
        else:
            yield labels.added(Sample(text, ()))


def _nameless(texts: Iterable[str], labels: PlainLabels) -> Iterator[str]:
    return (text for text in texts if not labels.has_name(text))
