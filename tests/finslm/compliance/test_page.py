"""The officer's page over real HTTP on loopback: who gets in, what is shown, what is refused, what goes on record."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import socket
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from finslm.audit import merkle, spool, verify_dir
from finslm.audit.checkpoint import Note, Verifier
from finslm.audit.cosignature import Cosigner
from finslm.audit.keys import load_or_create_signer
from finslm.audit.proof import Proof
from finslm.cli import app
from finslm.compliance import Request, draw
from finslm.compliance.forms import Format, render
from finslm.compliance.page import access
from finslm.compliance.page.access import Access, read_token
from finslm.compliance.page.desk import Setting
from finslm.compliance.page.period import read_period
from finslm.compliance.page.server import MAX_BODY_BYTES, PageServer, check_local, serving
from finslm.errors import ConfigError, InvalidRequest

TOKEN = "t0ken-" * 8
MARCH = "first=2026-03-01&last=2026-03-31"
CLOCK = [0.0]


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def words(self) -> str:
        return " ".join(re.sub(r"<[^>]*>", " ", self.text.replace("<wbr>", "")).split())


@dataclass
class Browser:
    """Asks as a browser does, and keeps the cookie."""

    server: PageServer
    cookie: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, form: dict[str, str] | None = None, **headers: str) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        sent = {"Cookie": self.cookie} if self.cookie else {}
        body = None
        if form is not None:
            body = urllib.parse.urlencode(form)
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, body, sent | {k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        reply = Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        connection.close()
        if cookie := reply.headers.get("set-cookie"):
            self.cookie = cookie.partition(";")[0]
        return reply

    def get(self, path: str, **headers: str) -> Reply:
        return self.ask("GET", path, **headers)

    def csrf(self, path: str = "/verify") -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.get(path).text)
        assert found is not None
        return found[1]

    def log_in(self, token: str = TOKEN, by: str = "h.lindqvist") -> Reply:
        return self.ask("POST", "/login", {"csrf": self.csrf("/login"), "token": token, "by": by})


@pytest.fixture
def start() -> Iterator[Callable[..., Browser]]:
    """A page of a log, and a browser that is logged in."""
    CLOCK[0] = 1000.0
    with ExitStack() as stack:

        def go(log: Path, *, logged_in: bool = True, **more: object) -> Browser:
            setting = Setting(log, **more)  # type: ignore[arg-type]
            access = Access(lambda: CLOCK[0], TOKEN)
            server = stack.enter_context(serving(PageServer(setting, access, "127.0.0.1:0", wait_s=60)))
            browser = Browser(server)
            if logged_in:
                assert browser.log_in().status == 303
            return browser

        yield go


@pytest.fixture
def live(month: Path, tmp_path: Path) -> Path:
    """A log that may be changed, and that a service writes: its lock file is there."""
    return Path(shutil.copytree(month, tmp_path / "live", ignore=shutil.ignore_patterns("pending")))


@pytest.fixture
def copied(live: Path) -> Path:
    """A copy that no service writes."""
    (live / "lock").unlink()
    return live


def pending(log: Path) -> list[dict[str, str]]:
    """What waits to be put on record."""
    found = [record for _, record in spool.pending(log)]
    return [{"event": r.event, **r.details} for r in found if r is not None]


def test_nothing_is_shown_before_the_token(start: Callable[..., Browser], copied: Path) -> None:
    """Every page leads to the log-in; forms are refused; nothing of the log is in what comes back."""
    browser = start(copied, logged_in=False, system="Lending assistant")
    for path in ("/", f"/?{MARCH}", "/records", "/records/5", "/records/5.tlog-proof", "/verify"):
        reply = browser.get(path)
        assert (reply.status, reply.headers["location"], reply.body) == (303, "/login", b"")
    for path in ("/verify", "/report", "/logout"):
        assert browser.ask("POST", path, {}).headers["location"] == "/login"
    for forged in ("x", "'; drop", "a" * 500):
        browser.cookie = f"{browser.server.cookie_name}={forged}"
        assert browser.get("/").status == 303
    assert "Lending" not in browser.get("/login").text


def test_wrong_tokens_are_refused_and_then_nobody_is_asked(start: Callable[..., Browser], copied: Path) -> None:
    """After five wrong ones in a minute the right one is not looked at; a minute later it is."""
    browser = start(copied, logged_in=False)
    for guess in ("", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper()):
        assert browser.log_in(guess).status == 403
    refused = browser.log_in()
    assert (refused.status, refused.headers["retry-after"]) == (429, "60")
    CLOCK[0] += access.FAILURES_S + 1
    reply = browser.log_in()
    assert reply.status == 303
    cookie = reply.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert browser.get("/records").status == 200


@pytest.mark.parametrize("by", ["", "<b>", "a b", "x" * 65, "h\u00e9l\u00e8ne", "a\nb"])
def test_a_name_that_no_record_can_have_is_refused(by: str, start: Callable[..., Browser], copied: Path) -> None:
    """Before the token is looked at; the page does not run what was typed."""
    reply = start(copied, logged_in=False).log_in(by=by)
    assert reply.status == 400
    assert "<b>" not in reply.text


def test_a_session_ends_when_idle_and_at_the_end_of_the_day(start: Callable[..., Browser], copied: Path) -> None:
    """And when it is logged out; a log-in form does not stay good either."""
    browser = start(copied)
    CLOCK[0] += access.IDLE_S + 1
    assert browser.get("/verify").status == 303
    browser.log_in()
    for _ in range(17):
        CLOCK[0] += access.IDLE_S - 1
        last = browser.get("/verify").status
    assert last == 303
    browser.log_in()
    assert browser.ask("POST", "/logout", {"csrf": browser.csrf()}).status == 303
    assert browser.get("/verify").status == 303
    form = browser.csrf("/login")
    CLOCK[0] += access.LOGIN_FORM_S + 1
    assert browser.ask("POST", "/login", {"csrf": form, "token": TOKEN, "by": "a"}).status == 403


def test_one_time_tokens() -> None:
    """Each opens one session, and the next is issued then."""
    issued: list[str] = []
    door = Access(lambda: 0.0, None, issued.append)
    cookie = door.log_in(issued[0], "a")
    assert cookie is not None
    assert len(issued) == 2
    assert door.log_in(issued[0], "a") is None
    assert door.session(cookie) is not None
    for number in range(access.MAX_SESSIONS):
        assert door.log_in(issued[-1], f"b{number}") is not None
    assert door.session(cookie) is None  # the oldest made room


def test_forms_need_their_token_and_their_origin(start: Callable[..., Browser], copied: Path) -> None:
    """CSRF: a form from elsewhere has neither."""
    browser = start(copied)
    good, other = browser.csrf(), start(copied).csrf()
    for form in ({}, {"csrf": ""}, {"csrf": other}, {"csrf": good[:-1]}):
        for path in ("/verify", "/report", "/logout"):
            assert browser.ask("POST", path, form).status == 403
    host = f"127.0.0.1:{browser.server.port}"
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"}):
        assert browser.ask("POST", "/verify", {"csrf": good}, **headers).status == 403
    own = {"Origin": f"http://{host}", "Sec_Fetch_Site": "same-origin"}
    assert browser.ask("POST", "/verify", {"csrf": good}, **own).status == 303
    assert browser.ask("POST", "/login", {"token": TOKEN, "by": "a"}).status == 403


def test_only_our_own_names_are_answered(start: Callable[..., Browser], copied: Path) -> None:
    """DNS rebinding: a name from elsewhere that leads to this machine."""
    browser = start(copied)
    port = browser.server.port
    for host in (
        "evil.example",
        f"evil.example:{port}",
        f"127.0.0.1:{port + 1}",
        "127.0.0.1",
        f"localhost.:{port}",
        "",
    ):
        assert browser.get("/", Host=host).status == 421
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"):
        assert browser.get("/verify", Host=host).status == 200


def test_headers_of_every_answer(start: Callable[..., Browser], copied: Path) -> None:
    """Pages, files, errors and redirects: no script, no frame, no store."""
    browser = start(copied)
    for path in ("/verify", "/page.css", "/icon.svg", "/nowhere", "/records/x", "/records/5.tlog-proof", "/login"):
        headers = browser.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'; ")
        assert "script" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["x-frame-options"] == "DENY"
        assert "Python" not in headers["server"]
    page = browser.get(f"/?{MARCH}").text
    assert "<script" not in page
    assert " style=" not in page
    assert not re.search(r'(?:src|href|action)="(?!/|#)', page)


def raw(server: PageServer, data: bytes) -> bytes:
    """What comes back for these bytes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize(
    ("request_line", "headers", "status"),
    [
        ("PUT /verify HTTP/1.1", "", 405),
        ("HEAD /verify HTTP/1.1", "", 405),
        ("DELETE / HTTP/1.1", "", 405),
        ("POST / HTTP/1.1", "Content-Length: 0\r\nContent-Type: application/x-www-form-urlencoded\r\n", 405),
        ("GET /report HTTP/1.1", "", 405),
        ("GET /../../etc/passwd HTTP/1.1", "", 404),
        ("GET /templates/base.html.j2 HTTP/1.1", "", 404),
        ("GET http://evil.example/verify HTTP/1.1", "", 404),
        (f"GET /records?a={'a' * 3000} HTTP/1.1", "", 414),
        ("GET /records?page=1&page=2 HTTP/1.1", "", 400),
        (f"GET /records?{'&'.join(f'a{n}=1' for n in range(40))} HTTP/1.1", "", 400),
        ("GET /records?task=%ff HTTP/1.1", "", 400),
        ("POST /login HTTP/1.1", "", 411),
        ("POST /login HTTP/1.1", "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", 411),
        ("POST /login HTTP/1.1", f"Content-Length: {MAX_BODY_BYTES + 1}\r\n", 413),
        ("POST /login HTTP/1.1", "Content-Length: -1\r\n", 413),
        ("POST /login HTTP/1.1", "Content-Length: 2\r\nContent-Type: text/plain\r\n\r\na=", 415),
        ("POST /login HTTP/1.1", "Content-Length: 9\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\na=", 400),
        ("GET / HTTP/9.9", "", 505),
        ("nonsense", "", 400),
    ],
)
def test_what_is_no_request_of_this_page(
    request_line: str, headers: str, status: int, start: Callable[..., Browser], copied: Path
) -> None:
    """A status and a short page; nothing of the request or of this machine is in it."""
    server = start(copied, logged_in=False).server
    lines = f"{request_line}\r\nHost: 127.0.0.1:{server.port}\r\n{headers}\r\n"
    answer = raw(server, lines.encode())
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer[:200]
    for leak in (b"evil.example", b"Traceback", b"passwd", b"base.html", str(copied).encode(), b"Error:"):
        assert leak not in answer


def test_overview_has_the_figures_of_the_report(start: Callable[..., Browser], copied: Path) -> None:
    """The same that draw counts, with the time and the size of the tree; the failed check is said plainly."""
    browser = start(copied, system="Lending assistant", environment="production")
    page = browser.get(f"/?{MARCH}")
    now = datetime.now(UTC)
    period = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
    report = draw(copied, Request(*period, now, "h.lindqvist"))
    assert page.status == 200
    assert f"{report.calls.total.calls:,} calls" in page.words
    assert f"{report.entities.total:,} pieces of confidential data" in page.words
    assert "1 of 8 checks did not pass" in page.words
    assert f"{report.evidence.tree_now.size:,} records in the tree" in page.words
    assert report.evidence.tree_now.root_hash[:16] in page.text
    for row in report.calls.by_principal:
        assert row.name in page.words
    assert "Not put on record" in page.words


def test_overview_leads_to_the_records_behind_a_figure(start: Callable[..., Browser], copied: Path) -> None:
    """Each link of a bar and of a refusal finds as many records as the figure says."""
    browser = start(copied)
    page = browser.get(f"/?{MARCH}&tenant=retail").text
    rows = re.findall(r'<a href="(/records\?[^"]*)">([^/].*?)</a>.*?<td class="number">([\d,]+)</td>', page, re.DOTALL)
    checked = 0
    for href, name, count in rows:
        if name.startswith(("loan-desk", "summarise", "QUOTA", "2026-03-17")):
            found = browser.get(href.replace("&amp;", "&")).words
            if not name.startswith("2026"):
                assert f" {count} record" in found, (name, href)
            checked += 1
    assert checked >= 4


def test_quick_choices_and_periods_that_cannot_be(start: Callable[..., Browser], copied: Path) -> None:
    """All begins with the log; reversed, future and made-up periods are refused in words."""
    browser = start(copied)
    assert "2026-02-28 00:00:00 to" in browser.get("/?period=all").words
    for choice in ("today", "7-days", "month", "last-month"):
        assert browser.get(f"/?period={choice}").status == 200
    for query, words in (
        ("first=2026-03-31&last=2026-03-01", "before the first"),
        ("first=2999-01-01&last=2999-01-02", "is not yet"),
        ("first=2026-02-30&last=2026-03-01", "a day such as"),
        ("first=2026-03-01", "a day such as"),
        ("period=fortnight", "no such choice"),
        (f"{MARCH}&tenant=nobody", "no record of the log names the tenant"),
        (f"{MARCH}&tenant=%3Cb%3E", "no record of the log names the tenant"),
    ):
        reply = browser.get(f"/?{query}")
        assert reply.status == 400, query
        assert words in reply.words
        assert "<b>" not in reply.text


def test_periods_at_the_turn_of_a_month() -> None:
    """Whole days; one that is not over ends now."""
    now = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
    last = read_period({"period": "last-month"}, now.date(), now.date())
    assert (str(last.first), str(last.last)) == ("2026-02-01", "2026-02-28")
    assert last.bounds(now) == (datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC))
    assert read_period({}, now.date(), now.date()).bounds(now) == (datetime(2026, 3, 1, tzinfo=UTC), now)
    with pytest.raises(InvalidRequest):
        read_period({"first": "2026-03-02", "last": "2026-03-02"}, now.date(), now.date()).bounds(now)


def test_records_are_filtered_and_paged(start: Callable[..., Browser], copied: Path) -> None:
    """Against what a pass over the log finds, field by field."""
    records = {}
    verify_dir(copied, visit=lambda index, record: records.update({index: record}))
    browser = start(copied)
    call = next(r.request_id for r in records.values() if r.request_id)
    day = ("2026-03-10T00:00:00.000000Z", "2026-03-11T12:30:15.000000Z")
    for query, fits in (
        ("", lambda r: True),
        ("kind=EVENT", lambda r: r.kind == "EVENT"),
        ("tenant=markets&kind=OUTCOME", lambda r: r.tenant == "markets" and r.kind == "OUTCOME"),
        ("principal=loan-desk&task=summarise", lambda r: (r.principal, r.task) == ("loan-desk", "summarise")),
        ("method=InferenceService/Classify", lambda r: r.method == "InferenceService/Classify"),
        ("status=UNAVAILABLE&reason=DETECTOR_FAILED", lambda r: r.reason == "DETECTOR_FAILED"),
        ("event=HOLD_SET", lambda r: r.event == "HOLD_SET"),
        (f"call={call}", lambda r: r.request_id == call),
        ("from=2026-03-10T00:00&to=2026-03-11T12:30:15", lambda r: day[0] <= r.time < day[1]),
        ("principal=nobody", lambda r: False),
    ):
        wanted = [index for index, record in records.items() if fits(record)][::-1]
        page = browser.get(f"/records?{query}")
        found = re.findall(r'data-label="Record"><a href="/records/(\d+)"', page.text)
        assert list(map(int, found)) == wanted[:50], query
        assert f"{len(wanted):,} record" in page.words
    everything = list(records)[::-1]
    last = -(-len(everything) // 50)
    for number, wanted in (
        (2, everything[50:100]),
        (last, everything[(last - 1) * 50 :]),
        (9999, everything[(last - 1) * 50 :]),
    ):
        page = browser.get(f"/records?page={number}").text
        assert list(map(int, re.findall(r'data-label="Record"><a href="/records/(\d+)"', page))) == wanted


@pytest.mark.parametrize(
    "query",
    [
        *("kind=NOTHING", "tenant=%3Cscript%3E", "status=ok", "event=lower", "call=123", "page=0x1", "page=-1"),
        *(
            "from=yesterday",
            "from=2026-03-02T00:00&to=2026-03-01T00:00",
            "from=2026-13-01T00:00",
            "principal=%22%2C%22",
        ),
    ],
)
def test_searches_that_no_record_can_fit(query: str, start: Callable[..., Browser], copied: Path) -> None:
    """Refused in words; nothing of what was typed comes back as markup."""
    reply = start(copied).get(f"/records?{query}")
    assert reply.status == 400
    assert "<script>" not in reply.text


def test_a_record_and_its_proof(start: Callable[..., Browser], copied: Path) -> None:
    """All its fields, the records of its call, and a proof that verifies with the public key alone."""
    records = {}
    verify_dir(copied, visit=lambda index, record: records.update({index: record}))
    index = next(
        i for i, r in records.items() if r.kind == "OUTCOME" and r.entity_counts and r.intent_index is not None
    )
    browser, record = start(copied), records[index]
    page = browser.get(f"/records/{index}")
    leaf = merkle.leaf_hash(record.canonical())
    for value in (
        record.request_id,
        record.model_digest,
        record.principal,
        record.time,
        leaf.hex(),
        *record.entity_counts,
    ):
        assert value in page.text
    assert f'href="/records/{record.intent_index}"' in page.text
    assert f'href="/records/{index}"' in browser.get(f"/records/{record.intent_index}").text
    proof = browser.get(f"/records/{index}.tlog-proof")
    assert proof.headers["content-disposition"] == f'attachment; filename="record-{index}.tlog-proof"'
    verifier = Verifier.parse((copied / "log.vkey").read_text().strip())
    assert Proof.parse(proof.text).verify(leaf, verifier).size == len(records)
    for path, status in (
        ("/records/99999", 404),
        ("/records/99999.tlog-proof", 404),
        ("/records/-1", 400),
        ("/records/1e3", 400),
        (f"/records/{'9' * 16}", 400),
    ):
        assert browser.get(path).status == status


def test_downloads_are_what_draw_gives(start: Callable[..., Browser], copied: Path) -> None:
    """Byte for byte, in each form, drawn by who is logged in at the time that the page says."""
    browser = start(copied, system="Lending assistant", environment="production")
    form = {"csrf": browser.csrf(), "first": "2026-03-01", "last": "2026-03-31", "tenant": "retail"}
    drawn = json.loads(browser.ask("POST", "/report", form | {"form": "json"}).body)
    request = Request(
        *(datetime.fromisoformat(drawn[name]) for name in ("period_from", "period_to", "generated_at")),
        *("h.lindqvist", "Lending assistant", "production", "retail"),
    )
    report = draw(copied, request)
    for kind in Format:
        reply = browser.ask("POST", "/report", form | {"form": kind})
        assert reply.status == 200
        assert reply.body == render(report, kind)
        assert report.report_id in reply.headers["content-disposition"]
    assert browser.ask("POST", "/report", form | {"form": "exe"}).status == 400


def test_what_is_shown_is_on_record(start: Callable[..., Browser], live: Path) -> None:
    """A report and a search once until the log grows, a download each time; none of it in a copy."""
    browser = start(live)
    page = browser.get(f"/?{MARCH}")
    assert "On record as REPORT_DRAWN" in page.words
    browser.get(f"/?{MARCH}")
    assert [row["event"] for row in pending(live)] == ["REPORT_DRAWN"]
    form = {"csrf": browser.csrf(), "first": "2026-03-01", "last": "2026-03-31", "form": "csv"}
    for _ in range(2):
        browser.ask("POST", "/report", form)
    for path in ("/records?kind=EVENT", "/records?kind=EVENT&page=2", "/records/7", "/records/7.tlog-proof"):
        browser.get(path)
    rows = pending(live)
    assert [(row["event"], row["form"]) for row in rows] == [
        *(("REPORT_DRAWN", "page"), ("REPORT_DRAWN", "csv"), ("REPORT_DRAWN", "csv")),
        *(("LOG_SEARCHED", "page"), ("LOG_SEARCHED", "page")),
    ]
    assert {row["by"] for row in rows} == {"h.lindqvist"}
    assert all(re.fullmatch("[0-9a-f]{64}", row["query"]) for row in rows)


def test_the_report_command_is_on_record(live: Path, tmp_path: Path) -> None:
    """And says on standard error when it is not; the exit code is the same."""
    arguments = ["compliance", "report", "--from", "2026-03-01", "--to", "2026-04-01", "--dir", str(live)]
    arguments += ["--by", "Zo\u00eb L.", "--format", "json", "--out", str(tmp_path / "report.json")]
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, result.stderr) == (1, "")
    (row,) = pending(live)
    query = json.loads((tmp_path / "report.json").read_text())["query"]["sha256"]
    assert (row["event"], row["query"], row["form"], row["by"]) == ("REPORT_DRAWN", query, "json", "Zo__L.")
    (live / "lock").unlink()
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "not recorded: this folder is a copy" in result.stderr
    assert len(pending(live)) == 1


def test_a_log_that_cannot_be_put_on_record_is_not_shown(start: Callable[..., Browser], live: Path) -> None:
    """Fail closed: something else lies where the event should."""
    (live / "pending").write_text("")
    reply = start(live).get("/records")
    assert reply.status == 503
    assert "nothing is shown" in reply.words
    assert str(live) not in reply.text


def test_verify_says_what_was_checked(start: Callable[..., Browser], copied: Path) -> None:
    """Without a policy, and with the folder's own key, it says what that leaves open."""
    browser = start(copied)
    assert "Nothing has been verified" in browser.get("/verify").words
    browser.ask("POST", "/verify", {"csrf": browser.csrf()})
    page = browser.get("/verify").words
    assert "The log holds." in page
    assert "2,897 read, parsed and hashed" in page
    assert (copied / "log.vkey").read_text().strip() in page
    assert "give one kept elsewhere with --key" in page
    assert "No witness policy was given" in page


def test_a_damaged_log_shows_no_figure(start: Callable[..., Browser], copied: Path) -> None:
    """Neither before it was read nor after: what was read before is held against what is there now."""
    browser = start(copied)
    assert browser.get("/records?kind=EVENT").status == 200
    lines = (copied / "records.log").read_bytes().splitlines(keepends=True)
    lines[1500] = lines[1500].replace(b'"OUTCOME"', b'"OUTCOMF"').replace(b'"INTENT"', b'"INTENS"')
    (copied / "records.log").write_bytes(b"".join(lines))
    assert browser.get("/records/1500").status == 503  # in the same reading
    page = verified(browser)
    assert "The log does not hold." in page
    assert "no record from 1,500 on can be trusted" in page
    for path in (f"/?{MARCH}", "/records", "/records/3", "/records/3.tlog-proof"):
        reply = browser.get(path)
        assert reply.status == 503, path
        assert "does not hold" in reply.words
        assert "1,346" not in reply.words
        assert str(copied) not in reply.text
    form = {"csrf": browser.csrf(), "first": "2026-03-01", "last": "2026-03-31", "form": "pdf"}
    assert browser.ask("POST", "/report", form).status == 503


def test_a_log_that_is_away(start: Callable[..., Browser], copied: Path) -> None:
    """No path and no text of the error."""
    browser = start(copied)
    (copied / "hashes").rename(copied / "elsewhere")
    for path in ("/", "/records"):
        reply = browser.get(path)
        assert reply.status == 503
        assert str(copied) not in reply.text
        assert "No such file" not in reply.text


def cosign(log: Path, tmp_path: Path, *, by: str = "w1") -> Path:
    """A policy with one witness, and the log's checkpoint cosigned by ``by``."""
    witnesses = {name: Cosigner(f"witness.example/{name}", Ed25519PrivateKey.generate()) for name in ("w1", "w2")}
    policy = tmp_path / "policy.txt"
    policy.write_text(f"witness w1 {witnesses['w1'].verifier.vkey()}\nquorum w1\n")
    note = (log / "checkpoint").read_text()
    (log / "checkpoint.cosigned").write_text(note + witnesses[by].cosign(Note.parse(note).text, 1_772_323_200).line())
    return policy


def verified(browser: Browser) -> str:
    browser.ask("POST", "/verify", {"csrf": browser.csrf()})
    return browser.get("/verify").words


def test_verify_holds_the_log_against_its_witnesses(
    start: Callable[..., Browser], copied: Path, tmp_path: Path
) -> None:
    """Cosigned; by another only; not at all; and a log that was cut behind what was cosigned."""
    policy = cosign(copied, tmp_path)
    browser = start(copied, policy_file=policy, vkey=(copied / "log.vkey").read_text())
    page = verified(browser)
    assert "the quorum of its witnesses stands behind it" in page
    assert "w1 2026-03-01 00:00:00 UTC" in page
    assert "A file kept elsewhere" in page
    assert "witnesses have cosigned" in browser.get(f"/?{MARCH}").words
    (copied / "checkpoint.cosigned").rename(copied / "kept")
    assert "its witnesses do not vouch for it" in verified(browser)
    (copied / "kept").rename(copied / "checkpoint.cosigned")
    cut_last_record(copied)
    page = verified(browser)
    assert "It is not the log that was signed and cosigned" in page
    assert "no record from 2,896 on can be trusted" in page
    cosign(copied, tmp_path, by="w2")
    assert "w1 has not cosigned" in verified(start(copied, policy_file=policy))


def cut_last_record(log: Path) -> None:
    """From all files, the checkpoint signed anew: what who holds the key can do."""
    lines = (log / "records.log").read_bytes().splitlines(keepends=True)
    (log / "records.log").write_bytes(b"".join(lines[:-1]))
    hashes = (log / "hashes").read_bytes()[: merkle.node_count(len(lines) - 1) * merkle.HASH_BYTES]
    (log / "hashes").write_bytes(hashes)
    root = merkle.root(len(lines) - 1, lambda at: hashes[at * 32 : at * 32 + 32])
    signer = load_or_create_signer(log, "bank.example/finslm/prod")
    (log / "checkpoint").write_text(signer.sign(len(lines) - 1, root))


def test_hostile_names_stay_text(start: Callable[..., Browser], copied: Path) -> None:
    """The operator's own names are the only free text that a page has."""
    nasty = "<img src=x onerror=alert(1)>&amp;\"'"
    browser = start(copied, system=nasty, environment=nasty)
    for path in (f"/?{MARCH}", "/records", "/verify"):
        page = browser.get(path).text
        assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;&amp;amp;" in browser.get(f"/?{MARCH}").text


def test_pages_wait_for_a_long_reading(copied: Path) -> None:
    """The page says so and comes back by itself; then it has the figures."""
    server = PageServer(Setting(copied), Access(lambda: 1.0, TOKEN), "127.0.0.1:0", wait_s=0.001)
    with serving(server):
        browser = Browser(server)
        browser.log_in()
        first = browser.get("/records")
        assert first.headers["refresh"] == "2"
        assert "Reading the log" in first.words
        while "refresh" in (reply := browser.get("/records")).headers:
            pass
        assert "2,897 records" in reply.words


@pytest.mark.parametrize(
    "listen", ["0.0.0.0:8765", "[::]:8765", "192.0.2.7:80", "bank.example:80", "8765", "127.0.0.1:99999"]
)
def test_other_machines_cannot_be_let_in(listen: str, copied: Path) -> None:
    """A ConfigError before anything is opened, and exit code 2."""
    with pytest.raises(ConfigError):
        check_local(listen)
    result = CliRunner().invoke(app, ["compliance", "serve", "--dir", str(copied), "--listen", listen])
    assert result.exit_code == 2


def test_a_unix_socket(copied: Path, tmp_path: Path) -> None:
    """Only the owner and the group may connect; whatever the forwarder's port, the name is this machine's."""
    path = tmp_path / "page.sock"
    with serving(PageServer(Setting(copied), Access(lambda: 1.0, TOKEN), f"unix:{path}")) as server:
        assert path.stat().st_mode & 0o777 == 0o660
        for host, status in (("localhost:9000", b"200"), ("127.0.0.1", b"200"), ("evil.example", b"421")):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(path))
                connection.sendall(f"GET /login HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                assert connection.recv(12).endswith(status)
        assert server.port == 0
    assert not path.exists()


def test_token_files(tmp_path: Path) -> None:
    """One that others can read, or that is too short, is refused."""
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    file.chmod(0o600)
    assert read_token(file) == TOKEN
    for content, mode in (
        (TOKEN, 0o640),
        ("short", 0o600),
        ("x" * 300, 0o600),
        (f"{TOKEN} {TOKEN}", 0o600),
        ("\u00e9" * 40, 0o600),
    ):
        file.write_text(content)
        file.chmod(mode)
        with pytest.raises(ConfigError):
            read_token(file)
    with pytest.raises(ConfigError):
        read_token(tmp_path / "none")
