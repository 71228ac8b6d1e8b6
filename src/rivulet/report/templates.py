"""The templates of the pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from rivulet.report.wording import number

FOLDER = Path(__file__).parent


def environment() -> jinja2.Environment:
    """Templates of this folder: text is escaped, and a name that is not there is an error."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["number"] = number
    return found


def style() -> Any:
    """The pages' style sheet, to stand in a page as it is."""
    return Markup((FOLDER / "report.css").read_text())


def embedded_json(data: Any) -> Any:
    """JSON to stand in a script element, which nothing in it may end."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))
