"""Each page: who may see it, what it reads, what is put on record of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, final

import structlog

from finslm.audit.records import FIELDS
from finslm.compliance.forms import Format, render
from finslm.compliance.page import figures
from finslm.compliance.page.access import Access, Session, TooManyAttempts, same
from finslm.compliance.page.desk import Desk, Drawn, read_index
from finslm.compliance.page.message import HTML, TEXT, Answer, Ask, see
from finslm.compliance.page.period import QUICK
from finslm.compliance.page.reading import NAMED
from finslm.compliance.page.render import Templates
from finslm.compliance.page.search import PAGE_RECORDS, Search
from finslm.compliance.page.work import Busy, NotYet
from finslm.compliance.recorded import note
from finslm.compliance.request import refusal
from finslm.errors import AuditCorrupt, FinslmError, InvalidRequest

DRAW_S: Final = 540.0
"""How long a download waits for its report, seconds."""
MAX_NOTED: Final = 4096
"""What a session remembers to be on record."""

_FOLDER: Final = Path(__file__).parent
_STATIC: Final = {"/page.css": "text/css; charset=utf-8", "/icon.svg": "image/svg+xml"}
_TYPES: Final = {
    Format.pdf: ("application/pdf", "pdf"),
    Format.html: (HTML, "html"),
    Format.csv: ("application/zip", "csv.zip"),
    Format.json: ("application/json", "json"),
    Format.oscal: ("application/json", "oscal.json"),
}
_WORDS: Final = {
    400: ("Not a request for this page", "Something in the address or the form is not as this page has it."),
    403: (
        "Refused",
        "The form did not come from a page of this session. Go back, load the page again, and send it once more.",
    ),
    404: ("No such page", "There is nothing at this address."),
    405: ("Not allowed", "This address does not take such a request."),
    421: ("Not this machine", "The page answers on this machine only, under the address that the command printed."),
    429: ("Too many attempts", "Wait a minute, then log in with the token from the terminal."),
    500: ("Something went wrong", "It is a fault of this program. The terminal it was started in has its name."),
    503: ("Busy", "Other requests are being answered. Try again in a moment."),
}
_UNREADABLE: Final = (
    "The log cannot be read",
    "Its files, its public key or its witness policy cannot be used now, or what you do could not be put on "
    "record; so nothing is shown. On the terminal, \u201cfinslm audit verify\u201d says what is wrong.",
)
_log = structlog.get_logger(__name__)
View = Callable[[Ask, Session], Answer]


@final
class Page:
    """All pages of one log."""

    def __init__(self, desk: Desk, access: Access, cookie_name: str) -> None:
        self._desk, self._access, self._cookie_name = desk, access, cookie_name
        self._templates = Templates(desk.setting)
        self._views: Mapping[str, Mapping[str, View]] = {
            "/": {"GET": self._overview},
            "/records": {"GET": self._records},
            "/verify": {"GET": self._verification, "POST": self._verify},
            "/report": {"POST": self._report},
            "/logout": {"POST": self._log_out},
        }

    def answer(self, ask: Ask) -> Answer:
        """Answer a request; what goes wrong becomes a page that says so and shows nothing of its inside."""
        try:
            return self._route(ask)
        except NotYet as error:
            if ask.method == "POST":  # a form is not sent again by itself
                return self.problem(503)
            body = self._templates.page("wait.html.j2", seconds=int(error.since_s))
            return Answer(200, body, headers=(("Refresh", "2"),))
        except Busy:
            return self.problem(503)
        except AuditCorrupt as error:
            _log.error("log_damaged", index=error.index)
            return Answer(503, self._templates.page("damaged.html.j2", index=error.index))
        except InvalidRequest as error:
            return self._say(
                400, "This cannot be shown", "; ".join(v.description for v in error.violations) or _WORDS[400][1]
            )
        except FinslmError as error:
            _log.error("page_failed", reason=error.reason)
            return self._say(503, *_UNREADABLE)
        except Exception as error:  # noqa: BLE001 - whatever it is, its text stays here
            _log.error("page_failed", error=type(error).__name__)
            return self.problem(500)

    def problem(self, code: int) -> Answer:
        """A page that says what kind of request was refused."""
        return self._say(code, *_WORDS.get(code, _WORDS[400]))

    def _say(self, code: int, title: str, text: str) -> Answer:
        return Answer(code, self._templates.page("problem.html.j2", title=title, text=text))

    def _route(self, ask: Ask) -> Answer:
        if ask.path in _STATIC:
            return self._static(ask)
        if ask.path == "/login":
            return self._log_in(ask) if ask.method == "POST" else self._login_page()
        views = self._views_at(ask.path)
        if views is None:
            return self.problem(404)
        if ask.method not in views:
            return self._not_allowed(views)
        session = self._access.session(ask.cookie) if ask.cookie else None
        if session is None:
            return see("/login")
        if ask.method == "POST" and not same(ask.form.get("csrf", ""), session.csrf):
            return self.problem(403)
        return views[ask.method](ask, session)

    def _views_at(self, path: str) -> Mapping[str, View] | None:
        if path.startswith("/records/"):
            return {"GET": self._proof if path.endswith(".tlog-proof") else self._record}
        return self._views.get(path)

    def _not_allowed(self, views: Mapping[str, View]) -> Answer:
        refused = self.problem(405)
        return Answer(405, refused.body, headers=(("Allow", ", ".join(sorted(views))),))

    def _static(self, ask: Ask) -> Answer:
        if ask.method != "GET":
            return self.problem(405)
        return Answer(200, (_FOLDER / ask.path[1:]).read_bytes(), _STATIC[ask.path])

    def _login_page(self, status: int = 200, wrong: str = "", by: str = "") -> Answer:
        form = self._access.login_form()
        return Answer(status, self._templates.page("login.html.j2", form=form, wrong=wrong, by=by))

    def _log_in(self, ask: Ask) -> Answer:
        token, by = ask.form.get("token", "").strip(), ask.form.get("by", "").strip()
        if not self._access.knows_form(ask.form.get("csrf", "")):
            return self._login_page(403, "The form was open for too long. Try again.", by)
        try:
            cookie = self._access.log_in(token, by)
        except TooManyAttempts:
            refused = self.problem(429)
            return Answer(429, refused.body, headers=(("Retry-After", "60"),))
        except ValueError:
            return self._login_page(400, "Give your name in letters, digits and . _ @ + -, at most 64.", by)
        if cookie is None:
            _log.warning("login_refused")
            return self._login_page(403, "This is not the token. The terminal has it.", by)
        return see("/", self._set_cookie(cookie))

    def _set_cookie(self, value: str, more: str = "") -> tuple[str, str]:
        return "Set-Cookie", f"{self._cookie_name}={value}; Path=/; HttpOnly; SameSite=Strict{more}"

    def _log_out(self, ask: Ask, session: Session) -> Answer:  # noqa: ARG002
        self._access.log_out(ask.cookie)
        return see("/login", self._set_cookie("", "; Max-Age=0"))

    def _overview(self, ask: Ask, session: Session) -> Answer:
        drawn = self._drawn(ask.query, session)
        recorded = self._note(session, "REPORT_DRAWN", drawn.report.query.sha256, drawn.report.evidence.tree_now.size)
        chosen = {"tenant": drawn.report.query.tenant, "period": drawn.period.choice}
        if not drawn.period.choice:
            chosen |= {"first": str(drawn.period.first), "last": str(drawn.period.last)}
        body = self._templates.page(
            "overview.html.j2",
            *(session, "overview"),
            drawn=drawn,
            recorded=recorded,
            quick=QUICK,
            chosen=chosen,
            figures=figures,
            formats=list(Format),
        )
        return Answer(200, body)

    def _drawn(self, query: Mapping[str, str], session: Session, wait_s: float | None = None) -> Drawn:
        chosen = {name: query.get(name, "") for name in ("period", "first", "last")}
        tenant = query.get("tenant", "")
        if not FIELDS["tenant"].allows(tenant):
            raise refusal("tenant", "no record of the log names the tenant: none can have such a name")
        return self._desk.report(chosen, tenant, session.by, wait_s)

    def _report(self, ask: Ask, session: Session) -> Answer:
        """Download: on record each time, before it is handed out."""
        try:
            form = Format(ask.form.get("form", ""))
        except ValueError:
            raise refusal("form", f"form: one of {', '.join(Format)} is wanted") from None
        report = self._drawn(ask.form, session, DRAW_S).report
        content = render(report, form)
        note(self._desk.setting.log_dir, "REPORT_DRAWN", report.query.sha256, form, session.by)
        content_type, ending = _TYPES[form]
        name = f"compliance-{report.period_from[:10]}-{report.report_id}.{ending}"
        return Answer(200, content, content_type, (("Content-Disposition", f'attachment; filename="{name}"'),))

    def _records(self, ask: Ask, session: Session) -> Answer:
        search = Search.read(ask.query)
        found = self._desk.search(search)
        number = min(max(1, read_index(ask.query.get("page", "1"))), found.pages)
        recorded = self._note(session, "LOG_SEARCHED", search.sha256(), found.reading.size)
        fields = {name: ask.query.get(name, "") for name in (*NAMED, "call", "from", "to") if ask.query.get(name)}
        body = self._templates.page(
            "records.html.j2",
            *(session, "records"),
            found=found,
            number=number,
            rows=found.page(number),
            recorded=recorded,
            fields=fields,
            named=NAMED,
            page_records=PAGE_RECORDS,
        )
        return Answer(200, body)

    def _record(self, ask: Ask, session: Session) -> Answer:
        index = read_index(ask.path.removeprefix("/records/"))
        shown = self._desk.record(index)
        if shown is None:
            return self._say(404, "No such record", "The log has no record of this index, or retention took it away.")
        recorded = self._note(session, "LOG_SEARCHED", _words_of_record(index), shown.reading.size)
        return Answer(200, self._templates.page("record.html.j2", session, "records", shown=shown, recorded=recorded))

    def _proof(self, ask: Ask, session: Session) -> Answer:
        index = read_index(ask.path.removeprefix("/records/").removesuffix(".tlog-proof"))
        shown = self._desk.record(index)
        if shown is None or shown.proof is None:
            return self._say(404, "No such proof", "There is no such record, or no checkpoint covers it yet.")
        self._note(session, "LOG_SEARCHED", _words_of_record(index), shown.reading.size)
        name = (("Content-Disposition", f'attachment; filename="record-{index}.tlog-proof"'),)
        return Answer(200, shown.proof.text().encode(), TEXT, name)

    def _verification(self, ask: Ask, session: Session) -> Answer:  # noqa: ARG002
        found = self._desk.verification()
        return Answer(200, self._templates.page("verify.html.j2", session, "verify", found=found))

    def _verify(self, ask: Ask, session: Session) -> Answer:  # noqa: ARG002
        self._desk.verify()
        return see("/verify")

    def _note(self, session: Session, event: str, query: str, size: int) -> bool:
        """Put on record what the session is shown: once, until the log has grown. Nothing is shown that is not."""
        key = f"{event} {query} {size}"
        if key in session.noted:
            return True
        recorded = note(self._desk.setting.log_dir, event, query, "page", session.by)  # type: ignore[arg-type]
        if recorded:
            if len(session.noted) >= MAX_NOTED:
                session.noted.clear()
            session.noted.add(key)
        return recorded


def _words_of_record(index: int) -> str:
    """SHA-256 of the words of a search for one record, hex."""
    return hashlib.sha256(f"record {index} of the log".encode()).hexdigest()
