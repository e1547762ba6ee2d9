"""Text comes out whole: no half characters, no stop string or its beginning."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finslm.engine.detokenizer import Detokenizer, StopStrings


def decode(ids: list[int]) -> str:
    return bytes(ids).decode("utf-8", errors="replace")


def pieces_of(data: bytes) -> list[str]:
    detokenizer = Detokenizer(decode)
    return [detokenizer.feed(byte) for byte in data]


class TestDetokenizer:
    def test_a_character_of_several_tokens_comes_out_once_and_whole(self) -> None:
        assert pieces_of("a€b".encode()) == ["a", "", "", "€", "b"]

    @given(st.text())
    def test_all_pieces_together_are_the_text(self, text: str) -> None:
        if text.endswith("\ufffd"):  # cannot be told from an unfinished character
            text += "."
        pieces = pieces_of(text.encode())
        assert "".join(pieces) == text

    @given(st.binary(max_size=60))
    def test_bytes_that_are_no_text_are_never_taken_back(self, data: bytes) -> None:
        whole = decode(list(data))
        got = "".join(pieces_of(data))
        assert got in {whole, whole[:-1]}

    def test_an_unfinished_character_at_the_end_is_left_out(self) -> None:
        assert "".join(pieces_of(b"ok\xe2\x82")) == "ok"

    def test_context_tokens_are_not_repeated(self) -> None:
        detokenizer = Detokenizer(decode, context=list(b"{"))
        assert detokenizer.feed(ord("}")) == "}"


class TestStopStrings:
    def test_text_is_cut_before_the_first_stop_string(self) -> None:
        assert StopStrings(["END", "\n\n"]).feed("one\n\ntwo END") == ("one", True)

    def test_what_may_become_a_stop_string_is_held_back(self) -> None:
        stops = StopStrings(["<end>"])
        assert stops.feed("yes <e") == ("yes ", False)
        assert stops.feed("nd>more") == ("", True)

    def test_what_did_not_become_one_is_released(self) -> None:
        stops = StopStrings(["<end>"])
        assert stops.feed("a <e") == ("a ", False)
        assert stops.feed("ls") == ("<els", False)

    def test_the_held_end_comes_out_at_the_end(self) -> None:
        stops = StopStrings(["###"])
        assert stops.feed("a ##") == ("a ", False)
        assert stops.flush() == "##"

    @given(
        st.lists(st.text("ab<", max_size=4), max_size=12),
        st.lists(st.text("ab<", min_size=1, max_size=4), min_size=1, max_size=3),
    )
    def test_pieces_give_what_the_whole_text_gives(self, pieces: list[str], stops: list[str]) -> None:
        whole = "".join(pieces)
        ends = [at + len(stop) for stop in stops if (at := whole.find(stop)) >= 0]
        filtered, sent = StopStrings(stops), ""
        for piece in pieces:
            text, stopped = filtered.feed(piece)
            sent += text
            if stopped:
                break
        else:
            stopped, sent = False, sent + filtered.flush()
        assert stopped == bool(ends)
        assert whole.startswith(sent)
        assert not any(stop in sent for stop in stops)
        assert stopped or sent == whole

    @pytest.mark.parametrize("text", ["", "plain"])
    def test_without_stop_strings_nothing_is_held(self, text: str) -> None:
        assert StopStrings([]).feed(text) == (text, False)
