"""Values are not put back into links, addresses, file names and tool arguments, whole or chunk by chunk."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from redaction.errors import RedactionError
from redaction.places import MAX_WORD, InPlaceRestorer, Place, place_of, restore_in_place

MAP = {"<PERSON_1>": "Ada L", "<EMAIL_ADDRESS_1>": "ada@bank.example", "<URL_1>": "https://bank.example/a"}
PIECES = [
    *MAP,
    "https://x.example/?q=",
    "www.",
    "@",
    "/",
    ".pdf",
    ".",
    ",",
    " ",
    '"',
    "<",
    "<PERSON_",
    "<PERSON_9>",
    "a",
    "=",
    "?",
    "&",
    "x" * 300,
]
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=12).map("".join)


@pytest.mark.parametrize(
    "text",
    [
        "https://x.example/?q=<PERSON_1>",
        "![a](https://x.example/<PERSON_1>.png)",
        "[more](http://x.example/#<PERSON_1>)",
        "www.x.example/<PERSON_1>",
        "HTTPS://X.EXAMPLE/<PERSON_1>",
        "//x.example/<PERSON_1>",
        "mailto:<EMAIL_ADDRESS_1>",
        "?q=<PERSON_1>&r=1",
        '<img src="https://x.example/<PERSON_1>">',
        "https://x.example/,<PERSON_1>",
        "https://<PERSON_1>.x.example",
    ],
)
def test_links_keep_their_placeholders(text):
    assert restore_in_place(text, MAP, ()) == text
    assert "Ada L" in restore_in_place(text, MAP, (Place.URL,)) or "ada@" in restore_in_place(text, MAP, (Place.URL,))


@pytest.mark.parametrize("text", ["<PERSON_1>@bank.example", "x.<PERSON_1>@bank.example", "info@<PERSON_1>.example"])
def test_addresses_that_are_built_keep_them(text):
    assert restore_in_place(f"write to {text}.", MAP, ()) == f"write to {text}."
    assert "Ada L" in restore_in_place(text, MAP, (Place.EMAIL,))


@pytest.mark.parametrize("text", ["report_<PERSON_1>.pdf", "<PERSON_1>.docx", "/home/<PERSON_1>", "C:\\\\<PERSON_1>"])
def test_file_names_keep_them(text):
    assert restore_in_place(f"open {text}", MAP, ()) == f"open {text}"
    assert "Ada L" in restore_in_place(text, MAP, (Place.FILE_NAME,))


@pytest.mark.parametrize(
    "text",
    [
        "Dear <PERSON_1>, see <URL_1>.",
        "(<PERSON_1>) and \u201c<PERSON_1>\u201d!",
        "<EMAIL_ADDRESS_1>; <PERSON_1>'s card",
        "**<PERSON_1>**: <EMAIL_ADDRESS_1>",
        '{"name":"<PERSON_1>","link":"https://x.example/a"}',
        "<PERSON_1>/<PERSON_1>",
        "name=<PERSON_1>",
        "Mr.<PERSON_1>",
        "See https://x.example/a and <PERSON_1>.",
    ],
)
def test_everywhere_else_they_are_put_back(text):
    expected = text
    for placeholder, value in MAP.items():
        expected = expected.replace(placeholder, value)
    assert restore_in_place(text, MAP, ()) == expected


def test_strangers_are_letters():
    assert place_of("https://x/<PERSON_9>", MAP) is Place.URL
    assert restore_in_place("<PERSON_9>@x", MAP, ()) == "<PERSON_9>@x"


@given(texts, st.data())
@example("https://x.example/?q=<PERSON_1> <PERSON_1>", None)
def test_any_chunking_gives_what_the_whole_gives(text, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8))) if data else range(len(text))
    stream = InPlaceRestorer(MAP)
    chunks = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert "".join(map(stream.feed, chunks)) + stream.close() == restore_in_place(text, MAP, ())


@given(texts)
def test_what_is_held_is_bounded(text):
    stream = InPlaceRestorer(MAP)
    for character in text:
        stream.feed(character)
        assert len(stream._held) <= MAX_WORD


def test_a_cut_name_is_dropped():
    stream = InPlaceRestorer(MAP)
    assert stream.feed("for <PERSON_1> and <PERS") == "for Ada L and "
    assert stream.close(cut=True) == ""
    with pytest.raises(RedactionError, match="closed"):
        stream.feed("x")
