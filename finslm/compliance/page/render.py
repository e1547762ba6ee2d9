"""The templates of the page. Everything that goes into them is escaped."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final, final
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from finslm.compliance.compose import compose
from finslm.compliance.document import when
from finslm.compliance.page.access import Session
from finslm.compliance.page.desk import Setting

_FOLDER: Final = Path(__file__).parent / "templates"


@final
class Templates:
    """All templates, compiled once."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        environment = Environment(
            loader=FileSystemLoader(_FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters |= {
            "count": _count,
            "when": when,
            "moment": _moment,
            "link": _link,
            "unix": _unix,
            "breakable": _breakable,
        }
        environment.globals |= {"compose": compose}
        self._environment = environment

    def page(self, name: str, session: Session | None = None, here: str = "", **values: object) -> bytes:
        """Fill a template.

        Args:
            session: of whom it is for; None: nobody is logged in, and nothing of the log may be in it.
            here: which of the menu's pages it is.
        """
        shown = {"session": session, "here": here, "setting": self._setting}
        return self._environment.get_template(name).render(**shown, **values).encode()


def _count(value: int) -> str:
    return f"{value:,}"


def _moment(value: datetime) -> str:
    """``2026-03-01 08:30:00``, UTC."""
    return value.strftime("%Y-%m-%d %H:%M:%S")


def _unix(seconds: int) -> str:
    """Unix seconds; past the year 9999 the number itself."""
    try:
        return _moment(datetime.fromtimestamp(seconds, UTC))
    except (ValueError, OverflowError, OSError):
        return str(seconds)


def _breakable(name: str) -> Markup:
    """A name that may go on in the next line behind ``_`` and ``/``; it is escaped."""
    return Markup("/<wbr>").join(Markup("_<wbr>").join(part.split("_")) for part in name.split("/"))


def _link(fields: dict[str, str], path: str, **changes: object) -> str:
    """A path with these fields; an empty one is left out."""
    chosen = {name: str(value) for name, value in (fields | changes).items() if value not in ("", None)}
    return f"{path}?{urlencode(chosen)}" if chosen else path
