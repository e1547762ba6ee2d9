"""What reaches a teacher, and what comes back."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from finslm.errors import ConfigError
from finslm.evaluate.datasets import Example
from finslm.train.distilling.recipe import EndpointRationales, FileRationales, LocalRationales
from finslm.train.distilling.teachers import EndpointTeacher, FileTeacher, LocalTeacher, teacher_of
from finslm.train.distilling.teachers.base import Row, redacted_rows
from finslm.train.distilling.teachers.cache import CachedTeacher
from finslm.train.redacted import Redaction
from redaction.text import RawText, RedactedText

ROWS = [Row(RedactedText(f"<PERSON_1> paid {n}"), "payment") for n in range(3)]


class Server(ThreadingHTTPServer):
    """The remote end: answers what it is told to, one after the other, then with the user's text in brackets."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.asked: list[dict] = []
        self.tokens: list[str | None] = []
        self.answers: list[tuple[int, bytes, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answering(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append({"path": self.path, **body})
        self.server.tokens.append(self.headers["Authorization"])
        content = f" [{body['messages'][-1]['content']}] "
        usual = (200, json.dumps({"choices": [{"message": {"content": content}}]}).encode(), {})
        status, answer, headers = self.server.answers.pop(0) if self.server.answers else usual
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@contextmanager
def dripping(begin: bytes) -> Iterator[str]:
    """An end that begins an answer and then sends a byte each tenth of a second; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            with suppress(OSError), listening.accept()[0] as connection:
                connection.sendall(begin)
                while True:
                    time.sleep(0.1)
                    connection.sendall(b"a")

        thread = threading.Thread(target=drip)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join()


def said(server: Server, **more) -> EndpointRationales:
    whole = {"source": "endpoint", "url": server.url, "model": "m", "allowed_hosts": ["127.0.0.1"], "retries": 2}
    return EndpointRationales.model_validate({**whole, **more})


class TestRow:
    @pytest.mark.parametrize("text", ["raw", RawText("raw"), None])
    def test_only_redacted_text_becomes_one(self, text):
        """At run time; a raw string does not type-check either."""
        with pytest.raises(TypeError, match="RedactedText only, got"):
            Row(text, "payment")

    def test_rows_that_were_not_redacted_do_not(self):
        with pytest.raises(TypeError, match="have not passed the redaction stage"):
            redacted_rows([Example("raw", "payment")], None)
        done = Redaction("p", "r", {}, 0, 0)
        assert redacted_rows([Example("<PERSON_1> paid 0", "payment")], done) == ROWS[:1]

    def test_text_stands_by_itself_in_the_prompt(self):
        messages = ROWS[0].prompt("Why?").messages
        assert [message.role for message in messages] == ["system", "user"]
        assert messages[0].text.value == "Why? The answer is: payment"
        assert messages[1].text is ROWS[0].text


class TestFile:
    def write(self, tmp_path, *lines: object):
        file = tmp_path / "why.jsonl"
        file.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
        return file

    def test_rationales_by_digest(self, tmp_path):
        lines = [{"sha256": row.sha256, "rationale": f" because {n} "} for n, row in enumerate(ROWS)]
        self.write(tmp_path, *reversed(lines))
        teacher = teacher_of(FileRationales(source="file", path="why.jsonl"), tmp_path, lambda _: tmp_path)
        assert teacher.explain(ROWS) == ["because 0", "because 1", "because 2"]

    def test_rows_without_one_are_counted(self, tmp_path):
        file = self.write(tmp_path, {"sha256": ROWS[0].sha256, "rationale": "x"})
        with pytest.raises(ConfigError, match=f"no rationale for 2 of 3 rows, the first with sha256 {ROWS[1].sha256}"):
            FileTeacher(file).explain(ROWS)

    def test_a_text_under_two_labels_has_a_line_for_each(self, tmp_path):
        """A line that does not say which label it is for explains neither."""
        other = Row(ROWS[0].text, "refund")
        of_both = [
            {"sha256": ROWS[0].sha256, "label": each.label, "rationale": each.label} for each in (ROWS[0], other)
        ]
        assert FileTeacher(self.write(tmp_path, *of_both)).explain([other, ROWS[0]]) == ["refund", "payment"]
        any_label = {"sha256": ROWS[0].sha256, "rationale": "x"}
        teacher = FileTeacher(self.write(tmp_path, any_label))
        assert teacher.explain([ROWS[0]]) == teacher.explain([other]) == ["x"]
        with pytest.raises(ConfigError, match="no rationale for 2 of 2 rows.*label 'refund'"):
            teacher.explain([other, ROWS[0]])

    @pytest.mark.parametrize(
        ("second", "why"),
        [
            ("no JSON", "line 2: not JSON"),
            ({"sha256": ROWS[0].sha256, "label": 3, "rationale": "x"}, "line 2: label must be a text"),
            ({"rationale": "x"}, "line 2: sha256 must be 64 hex digits"),
            ({"sha256": "0" * 64, "rationale": " "}, "line 2: rationale must be a text"),
            ({"sha256": ROWS[0].sha256, "rationale": "y"}, "line 2: another line says something else"),
        ],
    )
    def test_a_malformed_line_is_named(self, tmp_path, second, why):
        with pytest.raises(ConfigError, match=why):
            FileTeacher(self.write(tmp_path, {"sha256": ROWS[0].sha256, "rationale": "x"}, second))

    def test_no_file(self, tmp_path):
        with pytest.raises(ConfigError, match="No such file"):
            FileTeacher(tmp_path / "nowhere.jsonl")


class TestLocal:
    def test_a_model_writes_the_same_again_and_no_more_than_asked(self, tiny_decoder, tmp_path):
        told = LocalRationales(source="local", model="tiny", max_tokens=3, batch_size=2)
        teacher = teacher_of(told, tmp_path, {"tiny": tiny_decoder}.__getitem__)
        assert isinstance(teacher, LocalTeacher)
        first = teacher.explain(ROWS)
        assert first == teacher.explain(ROWS)
        assert len(first) == 3
        assert all(len(text) < 80 for text in first)

    def test_its_digest_is_of_all_that_it_depends_on(self, tiny_decoder):
        told = LocalRationales(source="local", model="tiny")
        others = [told.model_copy(update={"max_tokens": 9}), told.model_copy(update={"instruction": "Why?"})]
        digests = {LocalTeacher(tiny_decoder, each).digest for each in (told, *others)}
        assert len(digests) == 3


class TestEndpoint:
    def test_asks_for_each_row(self, server, tmp_path):
        """The redacted text, at temperature 0, with the token of the file."""
        (tmp_path / "token").write_text("secret\n")
        teacher = EndpointTeacher(said(server, token_file=tmp_path / "token", max_tokens=9))
        assert teacher.explain(ROWS) == [f"[{row.text.value}]" for row in ROWS]
        assert {asked["path"] for asked in server.asked} == {"/v1/chat/completions"}
        first = server.asked[0]
        assert (first["model"], first["temperature"], first["max_tokens"]) == ("m", 0, 9)
        assert first["messages"][1] == {"role": "user", "content": "<PERSON_1> paid 0"}
        assert {*server.tokens} == {"Bearer secret"}

    @pytest.mark.parametrize("status", [429, 503])
    def test_asks_again_and_waits_longer(self, server, status):
        server.answers = [(status, b"", {})] * 2
        pauses: list[float] = []
        assert EndpointTeacher(said(server), pauses.append).explain(ROWS[:1]) == ["[<PERSON_1> paid 0]"]
        assert pauses == [0.5, 1.0]

    def test_gives_up(self, server):
        server.answers = [(503, b"", {})] * 3
        with pytest.raises(ConfigError, match="no answer after 3 tries .*HTTP status 503"):
            EndpointTeacher(said(server), lambda _: None).explain(ROWS)
        assert len(server.asked) == 3

    def test_nobody_listens(self, server):
        told = said(server)
        server.server_close()
        with pytest.raises(ConfigError, match="no answer after 3 tries .*ConnectError"):
            EndpointTeacher(told, lambda _: None).explain(ROWS)

    @pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"])
    def test_an_end_that_is_never_done_is_given_up(self, server, answer):
        """A byte now and then keeps no run waiting, in the headers or in the body."""
        with dripping(answer) as url, pytest.raises(ConfigError, match=r"after 1 tries \(no whole answer within 0.4 s"):
            EndpointTeacher(said(server, url=url, timeout_s=0.4, retries=0)).explain(ROWS[:1])

    def test_a_compressed_answer_is_not_unpacked(self, server):
        """None was asked for, and a kilobyte of it may be a gigabyte."""
        server.answers = [(200, gzip.compress(bytes(1 << 20)), {"Content-Encoding": "gzip"})]
        with pytest.raises(ConfigError, match="Content-Encoding 'gzip'"):
            EndpointTeacher(said(server)).explain(ROWS[:1])

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_follows_no_redirect(self, server, status):
        """A text goes to no other place, this very server's other paths included."""
        server.answers = [(status, b"", {"Location": f"{server.url}/elsewhere"})]
        with pytest.raises(ConfigError, match=f"status {status} points elsewhere"):
            EndpointTeacher(said(server)).explain(ROWS)
        assert len(server.asked) == 1

    @pytest.mark.parametrize(
        ("status", "answer", "why"),
        [
            (401, b"", "HTTP status 401"),
            (200, b"<html>", "is it a chat completion"),
            (200, b'{"choices": []}', "is it a chat completion"),
            (200, b'{"choices": [{"message": {"content": null}}]}', "is it a chat completion"),
            (200, b" " * (2 << 20), "more than 1048576 bytes"),
        ],
    )
    def test_what_is_no_answer_is_not_asked_for_again(self, server, status, answer, why):
        server.answers = [(status, answer, {})]
        with pytest.raises(ConfigError, match=why):
            EndpointTeacher(said(server)).explain(ROWS)
        assert len(server.asked) == 1

    def test_a_proxy_of_the_environment_sees_nothing(self, server, monkeypatch):
        """Whoever sets a variable does not redirect confidential text."""
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        assert EndpointTeacher(said(server)).explain(ROWS[:1]) == ["[<PERSON_1> paid 0]"]

    @pytest.mark.parametrize(
        ("url", "why"),
        [
            ("https://teacher.bank.example", "'teacher.bank.example' is not in rationales.allowed_hosts"),
            ("https://127.0.0.1.bank.example", "is not in rationales.allowed_hosts"),
            ("https://127.0.0.1@bank.example", "'bank.example' is not in"),
            ("https://bank.example/127.0.0.1", "is not in"),
            ("127.0.0.1:80", "rationales.url: "),
            ("https://127.0.0.1:x", "rationales.url: "),
            ("http://other.example", "https is wanted"),
            ("ftp://127.0.0.1", "https is wanted"),
            ("https://a:b@127.0.0.1", "a secret belongs in token_file"),
            ("https://127.0.0.1?x=1", "a secret belongs in token_file"),
        ],
    )
    def test_other_addresses_are_refused_before_anything_is_sent(self, server, url, why):
        hosts = ["127.0.0.1", "Other.example"]
        with pytest.raises(ConfigError, match=why):
            EndpointTeacher(said(server, url=url, allowed_hosts=hosts))

    def test_plain_http_when_the_recipe_says_so(self, server):
        told = said(server, url="http://TEACHER.example:8000/", allowed_hosts=["teacher.example"], plain_http=True)
        assert isinstance(teacher_of(told, None, lambda _: None), EndpointTeacher)

    @pytest.mark.parametrize("token", ["tok-secret\nline2", "tök-secret", "tok secret", ""])
    def test_a_token_that_is_none_is_refused_and_not_quoted(self, server, tmp_path, token):
        (tmp_path / "token").write_text(token)
        with pytest.raises(ConfigError, match="one line of printable ASCII") as refused:
            EndpointTeacher(said(server, token_file=tmp_path / "token"))
        assert "secret" not in str(refused.value)

    def test_no_token_file(self, server, tmp_path):
        with pytest.raises(ConfigError, match="token_file .*FileNotFoundError"):
            EndpointTeacher(said(server, token_file=tmp_path / "token"))


class TestCache:
    @pytest.fixture
    def many(self) -> list[Row]:
        return [Row(RedactedText(f"text {n}"), "payment") for n in range(20)]

    def test_an_interrupted_run_goes_on(self, server, tmp_path, many):
        """What was answered is not asked for again; what the last batch lacked is."""
        teacher = EndpointTeacher(said(server, retries=0))
        usual = (200, b'{"choices": [{"message": {"content": "why"}}]}', {})
        server.answers = [usual] * 10 + [(500, b"", {})]
        seen: list[tuple[int, int]] = []
        with pytest.raises(ConfigError, match="run the same command again"):
            CachedTeacher(teacher, tmp_path / "r.jsonl", lambda *at: seen.append(at)).explain(many)
        assert seen == [(0, 20), (8, 20)]
        assert len((tmp_path / "r.jsonl").read_text().splitlines()) == 8
        server.asked.clear()
        answers = CachedTeacher(teacher, tmp_path / "r.jsonl").explain(many)
        assert answers == ["why"] * 8 + [f"[text {n}]" for n in range(8, 20)]
        assert len(server.asked) == 12
        assert CachedTeacher(teacher, tmp_path / "r.jsonl").explain(many) == answers
        assert len(server.asked) == 12

    def test_half_a_line_is_cut_off(self, server, tmp_path):
        file, teacher = tmp_path / "r.jsonl", EndpointTeacher(said(server))
        CachedTeacher(teacher, file).explain(ROWS)
        whole = file.read_text()
        file.write_text(whole[:-20])
        assert CachedTeacher(teacher, file).explain(ROWS) == [f"[{row.text.value}]" for row in ROWS]
        assert file.read_text() == whole
        assert len(server.asked) == 4

    def test_another_teacher_is_asked(self, server, tmp_path):
        for model in ("m", "n", "m"):
            CachedTeacher(EndpointTeacher(said(server, model=model)), tmp_path / "r.jsonl").explain(ROWS)
        assert [asked["model"] for asked in server.asked] == ["m"] * 3 + ["n"] * 3

    def test_the_same_row_is_asked_for_once(self, server, tmp_path):
        teacher = CachedTeacher(EndpointTeacher(said(server)), tmp_path / "r.jsonl")
        assert len(teacher.explain([*ROWS, *ROWS])) == 6
        assert len(server.asked) == 3

    def test_damage_is_named(self, server, tmp_path):
        (tmp_path / "r.jsonl").write_text("[1]\n")
        with pytest.raises(ConfigError, match="is damaged"):
            CachedTeacher(EndpointTeacher(said(server)), tmp_path / "r.jsonl")
