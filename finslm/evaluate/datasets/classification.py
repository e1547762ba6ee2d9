"""Sets of labelled texts, in the forms in which their authors publish them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Final

from finslm.errors import ConfigError
from finslm.evaluate.datasets.base import DATASETS, Example, Files, Splits, folded

OUT_OF_SCOPE: Final = "out_of_scope"
"""Label of what fits no other."""

_SENTIMENT: Final = {"0": "bearish", "1": "bullish", "2": "neutral"}
_FOMC: Final = {"0": "dovish", "1": "hawkish", "2": "neutral"}
_TEST_SHARE: Final = 5
"""Where nothing is published, one group of texts in so many is for testing."""
_GROUP_WORDS: Final = 12


@DATASETS.register(
    "csv",
    "files of your own, CSV",
    licence="yours",
    commercial=True,
    source="",
    options={
        "train": "file to train on",
        "dev": "file to calibrate on; without it, a share of train",
        "test": "file to test on",
        "text": "column of the text (default: text)",
        "label": "column of the label (default: label)",
    },
)
def _csv(files: Files, options: Mapping[str, str]) -> Splits:
    text, label = options.get("text", "text"), options.get("label", "label")

    def split(which: str) -> tuple[Example, ...]:
        if which not in options:
            return ()
        name = options[which]
        return files.examples(name, ((line, row[text], row[label]) for line, row in files.csv(name, text, label)))

    return _own(split("train"), split("dev"), split("test"))


@DATASETS.register(
    "jsonl",
    "files of your own, one JSON object a line",
    licence="yours",
    commercial=True,
    source="",
    options={
        "train": "file to train on",
        "dev": "file to calibrate on; without it, a share of train",
        "test": "file to test on",
        "text": "key of the text (default: text)",
        "label": "key of the label (default: label)",
    },
)
def _jsonl(files: Files, options: Mapping[str, str]) -> Splits:
    text, label = options.get("text", "text"), options.get("label", "label")

    def split(which: str) -> tuple[Example, ...]:
        if which not in options:
            return ()
        name = options[which]
        rows = ((line, row.get(text, ""), row.get(label)) for line, row in files.json_lines(name))
        return files.examples(name, rows)

    return _own(split("train"), split("dev"), split("test"))


def _own(train: tuple[Example, ...], dev: tuple[Example, ...], test: tuple[Example, ...]) -> Splits:
    if not train and not test:
        raise ConfigError("data set csv or jsonl: the recipe names no file: give train, test or both as options")
    return Splits(train, dev, test)


@DATASETS.register(
    "banking77",
    "BANKING77: messages to a bank, 77 intents",
    licence="CC BY 4.0",
    commercial=True,
    source="Casanueva et al. 2020, Efficient Intent Detection with Dual Sentence Encoders (PolyAI)",
)
def _banking77(files: Files, _: Mapping[str, str]) -> Splits:
    train, test = (
        files.examples(
            name, ((line, row["text"], row["category"]) for line, row in files.csv(name, "text", "category"))
        )
        for name in ("train.csv", "test.csv")
    )
    return Splits(train, (), test)


@DATASETS.register(
    "clinc150",
    "CLINC150: requests to an assistant, 150 intents and out of scope",
    licence="CC BY 3.0",
    commercial=True,
    source="Larson et al. 2019, An Evaluation Dataset for Intent Classification and Out-of-Scope Prediction",
    options={"file": "data_full.json (default), data_oos_plus.json, data_small.json or data_imbalanced.json"},
)
def _clinc150(files: Files, options: Mapping[str, str]) -> Splits:
    name = options.get("file", "data_full.json")
    whole = files.json(name)

    def split(part: str) -> tuple[Example, ...]:
        try:
            pairs = [*whole[part], *whole[f"oos_{part}"]]
        except (KeyError, TypeError):
            raise ConfigError(f"{files.path(name)}: no lists {part} and oos_{part}") from None
        named = ((i, text, OUT_OF_SCOPE if label == "oos" else label) for i, (text, label) in enumerate(pairs, 1))
        return files.examples(f"{name} ({part})", named)

    return Splits(split("train"), split("val"), split("test"))


@DATASETS.register(
    "tfns",
    "Twitter Financial News Sentiment: bearish, bullish, neutral",
    licence="MIT",
    commercial=True,
    source="zeroshot/twitter-financial-news-sentiment; its validation file is the test split",
)
def _tfns(files: Files, _: Mapping[str, str]) -> Splits:
    train, test = (_numbered(files, name, _SENTIMENT) for name in ("sent_train.csv", "sent_valid.csv"))
    return Splits(train, (), test)


@DATASETS.register(
    "cfpb",
    "CFPB complaint narratives with their product",
    licence="public domain (17 USC 105)",
    commercial=True,
    source="Consumer Complaint Database of the Consumer Financial Protection Bureau",
)
def _cfpb(files: Files, _: Mapping[str, str]) -> Splits:
    """Nothing is published as a split: narratives that begin alike, as those from one template do, stay together."""
    name = "cfpb_narratives.jsonl"
    rows = files.examples(
        name, ((line, row.get("text", ""), row.get("product")) for line, row in files.json_lines(name))
    )
    return Splits(tuple(r for r in rows if not _held_out(r.text)), (), tuple(r for r in rows if _held_out(r.text)))


@DATASETS.register(
    "fpb",
    "Financial PhraseBank: negative, neutral, positive",
    licence="CC BY-NC-SA 3.0",
    commercial=False,
    source="Malo et al. 2014, Good debt or bad debt",
    options={"file": "Sentences_50Agree.txt (default), Sentences_66Agree.txt, _75Agree or _AllAgree"},
)
def _fpb(files: Files, options: Mapping[str, str]) -> Splits:
    """``sentence@label`` lines in Latin-1; no split is published."""
    name = options.get("file", "Sentences_50Agree.txt")
    lines = enumerate(files.read(name, "iso-8859-1").split("\n"), 1)
    parts = ((number, line.rstrip("\r").rpartition("@")) for number, line in lines if line.strip())
    return _shared(files.examples(name, ((number, text, label) for number, (text, _, label) in parts)))


@DATASETS.register(
    "fomc",
    "Sentences of the Federal Open Market Committee: dovish, hawkish, neutral",
    licence="CC BY-NC 4.0",
    commercial=False,
    source="Shah et al. 2023, Trillion Dollar Words",
)
def _fomc(files: Files, _: Mapping[str, str]) -> Splits:
    train, test = (_labelled(files, name, "sentence", "label", _FOMC) for name in ("train.csv", "test.csv"))
    return Splits(train, (), test)


@DATASETS.register(
    "headlines",
    "Gold news headlines: does one tell of a price that goes up",
    licence="CC BY-NC-ND 4.0",
    commercial=False,
    source="Sinha & Khandait 2020, Impact of News on the Commodity Market",
    options={"column": "the question (default: Price Direction Up)"},
)
def _headlines(files: Files, options: Mapping[str, str]) -> Splits:
    column = options.get("column", "Price Direction Up")
    name = "finalDataset_0208.csv"
    return _shared(_labelled(files, name, "News", column, {"0": "no", "1": "yes"}))


@DATASETS.register(
    "numclaim",
    "Sentences of analysts' reports: is there a numeric claim",
    licence="CC BY-NC 4.0",
    commercial=False,
    source="Shah et al. 2024, Numerical Claim Detection in Finance",
)
def _numclaim(files: Files, _: Mapping[str, str]) -> Splits:
    labels = {"0": "out_of_claim", "1": "in_claim", "INCLAIM": "in_claim", "OUTOFCLAIM": "out_of_claim"}
    train, test = (_labelled(files, name, "context", "response", labels) for name in ("train.csv", "test.csv"))
    return Splits(train, (), test)


@DATASETS.register(
    "fiqa",
    "FiQA sentiment of headlines and posts: negative, neutral, positive",
    licence="none stated; for research",
    commercial=False,
    source="Maia et al. 2018, WWW'18 Open Challenge: Financial Opinion Mining and Question Answering",
)
def _fiqa(files: Files, _: Mapping[str, str]) -> Splits:
    """A score from -1 to 1 for each target of a sentence; -0.1 to 0.1 is neutral, as PIXIU has it."""
    found: list[Example] = []
    for name in ("task1_headline_ABSA_train.json", "task1_post_ABSA_train.json"):
        whole = files.json(name)
        if not isinstance(whole, dict):
            raise ConfigError(f"{files.path(name)}: an object by number is wanted")
        for number, entry in enumerate(whole.values(), 1):
            try:
                scores = [float(target["sentiment_score"]) for target in entry["info"]]
                text = entry["sentence"]
            except (KeyError, TypeError, ValueError) as error:
                files.bad(name, number, f"{type(error).__name__}: {error}")
                continue
            found += files.examples(name, [(number, text, _polarity(score)) for score in scores[:1]])
    return _shared(found)


def _polarity(score: float) -> str:
    return "neutral" if abs(score) <= 0.1 else "positive" if score > 0 else "negative"


def _numbered(files: Files, name: str, labels: Mapping[str, str]) -> tuple[Example, ...]:
    return _labelled(files, name, "text", "label", labels)


def _labelled(files: Files, name: str, text: str, label: str, labels: Mapping[str, str]) -> tuple[Example, ...]:
    """Rows of a CSV file whose labels are written as numbers or otherwise than they are served."""
    rows = []
    for line, row in files.csv(name, text, label):
        if (named := labels.get(row[label].strip())) is None:
            files.bad(name, line, f"label {row[label][:40]!r} is not one of {', '.join(labels)}")
            continue
        rows.append((line, row[text], named))
    return files.examples(name, rows)


def _shared(rows: Iterable[Example]) -> Splits:
    """The same share of texts for testing wherever it is read; equal texts stay together."""
    rows = tuple(rows)
    return Splits(tuple(r for r in rows if not _held_out(r.text)), (), tuple(r for r in rows if _held_out(r.text)))


def _held_out(text: str) -> bool:
    """Whether a text is for testing: by a digest of its first words, so that neither order nor further rows matter."""
    words = re.findall(r"[^\W\d_]+", re.sub(r"\bx{2,}\b", " ", folded(text)))[:_GROUP_WORDS]
    return int.from_bytes(hashlib.sha256(" ".join(words).encode()).digest()[:8], "big") % _TEST_SHARE == 0
