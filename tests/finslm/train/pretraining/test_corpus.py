"""What is read, what is held out, what is refused."""

from __future__ import annotations

import hashlib
import json

import pytest

from finslm.errors import ConfigError
from finslm.train.pretraining.corpus import load
from finslm.train.pretraining.recipe import CorpusPart, CorpusRecipe
from finslm.train.pretraining.redacting import CorpusRedactor


def recipe(path="docs.jsonl", share=0.1, **more) -> CorpusRecipe:
    part = CorpusPart(**{"path": path, "licence": "none", "source": "made up", "published": True, **more})
    return CorpusRecipe(parts=(part,), held_out_share=share)


def write(folder, *rows) -> None:
    (folder / "docs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def many(count=80, **more):
    return [{"text": f"document {n}", **{k: v(n) for k, v in more.items()}} for n in range(count)]


class TestSplit:
    def test_the_same_documents_are_held_out_whatever_the_order(self, tmp_path):
        """By digest: a larger or shuffled file moves no document to the other side."""
        write(tmp_path, *many())
        first = load(recipe(), tmp_path)
        write(tmp_path, *reversed(many(160)))
        second = load(recipe(), tmp_path)
        assert set(first.held_out) <= set(second.held_out)
        assert set(first.train) <= set(second.train)
        assert 1 <= len(first.held_out) <= 20

    def test_a_group_is_wholly_on_one_side(self, tmp_path):
        """A firm's filings resemble one another: none of a held-out firm is trained on."""
        write(tmp_path, *many(firm=lambda n: n % 8))
        found = load(recipe(group="firm", share=0.3), tmp_path)
        sides = [{int(text.split()[-1]) % 8 for text in side} for side in (found.train, found.held_out)]
        assert all(sides)
        assert not sides[0] & sides[1]

    def test_what_is_held_out_and_not_scored_is_not_trained_on(self, tmp_path):
        """The limit on scored bytes gives nothing back to training."""
        write(tmp_path, *many())
        whole = load(recipe(share=0.3), tmp_path)
        some = load(recipe(share=0.3).model_copy(update={"held_out_bytes": 30}), tmp_path)
        assert some.train == whole.train
        assert 1 <= len(some.held_out) < len(whole.held_out)
        assert len(some.held_out) + some.held_out_unread == len(whole.held_out)

    def test_less_is_trained_on_where_less_is_wanted(self, tmp_path):
        """Whole documents by digest; what is held out does not change with it."""
        write(tmp_path, *many())
        whole = load(recipe(), tmp_path)
        some = load(recipe().model_copy(update={"train_bytes": 100}), tmp_path)
        assert some.held_out == whole.held_out
        assert set(some.train) < set(whole.train)
        assert sum(map(len, some.train)) <= 100
        assert some.train_unread == len(whole.train) - len(some.train)

    def test_duplicates_are_dropped_and_counted(self, tmp_path):
        """A text twice would be trained on twice, or stand on both sides."""
        write(tmp_path, *many(), *many(5))
        found = load(recipe(), tmp_path)
        assert found.duplicates == 5
        assert len(found.train) + len(found.held_out) == 80

    def test_digests_are_those_of_the_files(self, tmp_path):
        """So that anybody can check what was read."""
        write(tmp_path, *many())
        digest = hashlib.sha256((tmp_path / "docs.jsonl").read_bytes()).hexdigest()
        assert load(recipe(), tmp_path).sha256 == {"docs.jsonl": digest}

    def test_a_folder_of_texts_is_a_document_a_file(self, tmp_path):
        """Text files and JSON Lines side by side; other files are passed over."""
        for n in range(40):
            (tmp_path / f"{n}.txt").write_text(f"text {n}\n\nand more", "utf-8")
        write(tmp_path, {"text": "a row"})
        (tmp_path / "notes.md").write_text("not read", "utf-8")
        found = load(recipe("."), tmp_path)
        assert len(found.train) + len(found.held_out) == 41
        assert len(found.sha256) == 41


class TestBadInput:
    @pytest.mark.parametrize(
        ("line", "why"),
        [
            ("{", "not JSON"),
            ('["text"]', "a JSON object is wanted"),
            ('{"words": "x"}', "field 'text' must be a text"),
            ('{"text": "  "}', "must be a text with words"),
            ('{"text": "\\ud800"}', "half a character"),
        ],
    )
    def test_a_malformed_row_is_named_or_counted(self, tmp_path, line, why):
        """File and line; with --skip-bad-rows it is counted."""
        write(tmp_path, *many())
        with (tmp_path / "docs.jsonl").open("a") as file:
            file.write(line + "\n")
        with pytest.raises(ConfigError, match=rf"docs\.jsonl, line 81: .*{why}"):
            load(recipe(), tmp_path)
        assert load(recipe(), tmp_path, skip_bad=True).skipped == 1

    def test_a_group_must_be_there(self, tmp_path):
        """A row without it could stand on the wrong side."""
        write(tmp_path, *many())
        with pytest.raises(ConfigError, match="line 1: field 'firm'"):
            load(recipe(group="firm"), tmp_path)

    def test_what_cannot_be_read_is_named(self, tmp_path):
        """No file, no files, another kind."""
        with pytest.raises(ConfigError, match=r"docs\.jsonl: No such file"):
            load(recipe(), tmp_path)
        with pytest.raises(ConfigError, match="no file with the suffix"):
            load(recipe("."), tmp_path)
        (tmp_path / "a.pdf").touch()
        with pytest.raises(ConfigError, match=r"a\.pdf: a file with the suffix"):
            load(recipe("a.pdf"), tmp_path)

    def test_nothing_to_hold_out_is_said(self, tmp_path):
        """A run without held-out documents would not know how it did."""
        write(tmp_path, {"text": "alone"})
        with pytest.raises(ConfigError, match="1 documents to train on and 0 held out"):
            load(recipe(share=0.001), tmp_path)


class TestRedaction:
    def test_text_is_redacted_unless_it_is_published(self):
        """The default is the careful one; a recipe can say otherwise, both ways."""
        told = {"path": "x.jsonl", "licence": "ours", "source": "ours"}
        assert CorpusPart(**told).redacted
        assert not CorpusPart(**told, published=True).redacted
        assert CorpusPart(**told, published=True, redact=True).redacted
        assert not CorpusPart(**told, redact=False).redacted

    def test_nothing_is_read_without_a_redactor(self, tmp_path):
        """Fail closed."""
        write(tmp_path, *many())
        with pytest.raises(ConfigError, match="no redactor"):
            load(recipe(published=False), tmp_path)

    def test_values_are_replaced_by_the_placeholders_of_serving(self, tmp_path):
        """What trains a model carries no account number; how many were replaced is known."""
        write(tmp_path, *many(3), {"text": "Pay DE89 3704 0044 0532 0130 00 today, says ann.lee@example.com"})
        redactor = CorpusRedactor()
        found = load(recipe(published=False, share=0.4), tmp_path, redact=redactor)
        (text,) = [text for text in (*found.train, *found.held_out) if text.startswith("Pay")]
        assert "<IBAN_CODE_1>" in text
        assert "3704" not in text
        assert "<EMAIL_ADDRESS_1>" in text
        assert redactor.counts["IBAN_CODE"] == 1
        assert found.redacted == 4
        assert len(redactor.digest) == 64

    def test_what_cannot_be_redacted_is_a_malformed_row(self, tmp_path):
        """It is refused, or left out and counted; never trained on as it is."""

        def refuse(text: str) -> str:
            if text == "document 3":
                raise ValueError("after redaction IBAN_CODE is still in it")
            return text

        write(tmp_path, *many())
        with pytest.raises(ConfigError, match="line 4: after redaction"):
            load(recipe(published=False), tmp_path, redact=refuse)
        found = load(recipe(published=False), tmp_path, redact=refuse, skip_bad=True)
        assert found.skipped == 1
        assert "document 3" not in found.train + found.held_out
