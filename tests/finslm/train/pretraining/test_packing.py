"""Streams, windows, and which document sees which."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest
import torch

from finslm.errors import ConfigError
from finslm.train.pretraining import packing
from finslm.train.pretraining.network import new_network, next_token_logits
from finslm.train.pretraining.packing import IGNORED, Packed, consecutive, order, windows, within
from finslm.train.pretraining.tokenizing import token_stream, train_tokenizer

STREAM = np.arange(23, dtype=np.uint32)


class TestWindows:
    def test_the_target_is_the_next_token(self):
        """Also of a window's last token: its target begins the next window."""
        ids, targets = windows(STREAM, np.array([1, 0]), 5)
        assert ids.tolist() == [[5, 6, 7, 8, 9], [0, 1, 2, 3, 4]]
        assert targets.tolist() == [[6, 7, 8, 9, 10], [1, 2, 3, 4, 5]]

    def test_an_epoch_reads_every_window_once(self):
        """In an order that seed and epoch decide, and nothing else."""
        assert sorted(order(7, 0, 20)) == list(range(20))
        assert order(7, 0, 20).tolist() != order(7, 1, 20).tolist() != order(8, 1, 20).tolist()
        assert order(7, 3, 20).tolist() == order(7, 3, 20).tolist()

    def test_held_out_tokens_are_scored_once_each(self):
        """The last window is filled up, and what fills is ignored."""
        targets = torch.cat([w.targets.flatten() for w in consecutive(STREAM, 5, 2)])
        assert targets[targets != IGNORED].tolist() == list(range(1, 23))

    def test_less_than_a_window_is_refused(self):
        """With the numbers, and what to do."""
        with pytest.raises(ConfigError, match="23 tokens, a window 64: give more text"):
            packing.count(STREAM, 64)
        assert packing.count(STREAM, 11) == 2


class TestWithin:
    def test_a_token_sees_its_own_document_before_it(self):
        """The end token belongs to the document after it; positions begin anew with it."""
        mask, places = within(torch.tensor([[5, 9, 6, 7, 9, 8]]), end=9)
        assert places.tolist() == [[0, 0, 1, 2, 0, 1]]
        assert mask[0, 0].int().tolist() == [
            [1, 0, 0, 0, 0, 0],
            [0, 1, 0, 0, 0, 0],
            [0, 1, 1, 0, 0, 0],
            [0, 1, 1, 1, 0, 0],
            [0, 0, 0, 0, 1, 0],
            [0, 0, 0, 0, 1, 1],
        ]

    def test_a_document_is_scored_as_if_it_stood_alone(self):
        """What the mask is for: the network's numbers do not depend on the neighbours."""
        network = new_network("1m", 300, 32, seed=0)
        network.train(mode=False)
        first, second = [0, 5, 17, 30], [0, 41, 8, 99]
        with torch.no_grad():
            packed = next_token_logits(network, torch.tensor([[*first, *second]]), apart=0)
            crossing = next_token_logits(network, torch.tensor([[*first, *second]]), apart=None)
            alone = next_token_logits(network, torch.tensor([second]), apart=None)
        torch.testing.assert_close(packed[0, 4:], alone[0])
        assert not torch.allclose(crossing[0, 4:], alone[0])


class TestStream:
    def test_documents_come_back_byte_for_byte(self):
        """Joined by the end token; one that spells it cannot end itself."""
        texts = ["a naïve bank", "paid 1,250.00 <|endoftext|> to\tyou\n", "漢字 €"]
        tokenizer = train_tokenizer([*texts, "more text for merges " * 3], 262)
        stream = token_stream(tokenizer, texts)
        ends = np.flatnonzero(stream == tokenizer.eos_token_id)
        assert len(ends) == 4
        assert stream[0] == tokenizer.eos_token_id
        pieces = [stream[a + 1 : b] for a, b in zip(ends, ends[1:], strict=False)]
        assert [tokenizer.decode(piece.tolist()) for piece in pieces] == texts

    def test_the_same_texts_give_the_same_tokenizer(self):
        """Byte for byte: it is part of what a model's digest stands for."""
        texts = [f"the rate of {n} per cent rose in {2000 + n}" for n in range(50)]
        first, second = (train_tokenizer(texts, 275).backend_tokenizer.to_str() for _ in range(2))
        assert first == second

    def test_too_little_text_for_the_vocabulary_is_said(self):
        """With the largest that would do."""
        with pytest.raises(ConfigError, match="vocabulary of 257 tokens, 5000 are wanted"):
            train_tokenizer(["a"], 5000)

    def test_texts_are_asked_for_on_the_callers_thread(self, monkeypatch):
        """Python, and with it its garbage collector, does not run on the library's own threads; what was set stays."""
        monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")
        threads = set()

        def texts():
            for number in range(2000):
                threads.add(threading.get_native_id())
                yield f"the bank pays {number} euros"

        train_tokenizer(texts(), 262)
        assert threads == {threading.get_native_id()}
        assert os.environ["TOKENIZERS_PARALLELISM"] == "true"


class TestFolder:
    def test_what_was_packed_is_read_again(self, tmp_path):
        """A run that goes on does not read the data again."""
        Packed(STREAM, STREAM[:5], {"a": 1}).write(tmp_path / "packed")
        found = Packed.read(tmp_path / "packed")
        assert found.train.tolist() == STREAM.tolist()
        assert found.facts == {"a": 1}

    def test_what_was_changed_or_is_not_whole_is_refused(self, tmp_path):
        """Other tokens would give another model under the same name."""
        with pytest.raises(ConfigError, match="no packed documents"):
            Packed.read(tmp_path)
        Packed(STREAM, STREAM[:5], {}).write(tmp_path)
        np.save(tmp_path / packing.TRAIN, STREAM[::-1].copy())
        with pytest.raises(ConfigError, match=r"train\.npy has changed"):
            Packed.read(tmp_path)
