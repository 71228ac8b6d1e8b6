"""The page: its sections, each worked out from the inputs and put in its template."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

from rivulet.report.data import read_data
from rivulet.report.environments import most_lost
from rivulet.report.inputs import ReportInputs
from rivulet.report.sections import SECTIONS
from rivulet.report.templates import FOLDER, embedded_json, environment, style
from rivulet.report.wording import percent, share


def build_report(inputs: ReportInputs, made: datetime | None = None) -> str:
    """Build the report.

    Args:
        inputs: Files and facts to report.
        made: Time to write on the page; now by default.

    Returns:
        One HTML page that needs nothing besides itself.

    Raises:
        UserError: An input is not readable.
    """
    data = read_data(inputs)
    templates = environment()
    templates.filters |= {
        "percent": percent,
        "share": share,
        "most": most_lost,
        "count": lambda value: "–" if value is None else f"{value:g}",
        "error": lambda value: "–" if value is None else f"{value:.1e}",
    }
    sections: list[dict[str, Any]] = []
    embedded: dict[str, Any] = {}
    for section in SECTIONS:
        context = section.context(data)
        if context is None:
            continue
        embedded |= context.pop("embedded", {})
        name = section.__name__.rpartition(".")[2]
        template = templates.get_template(f"sections/{name}.html")
        body = Markup(template.render(inputs=inputs, confidence=data.confidence, **context))
        sections.append({"name": name, "title": section.TITLE, "body": body})
    script = (FOLDER / "report.js").read_text()
    page = templates.get_template("page.html").render(
        css=style(),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(f"\n{script}\n".encode()).digest()).decode(),
        data=embedded_json(embedded),
        made=(made or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M %Z"),
        inputs=inputs,
        sections=sections,
    )
    return str(page)
