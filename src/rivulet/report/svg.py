"""Matplotlib's figures as SVG to stand inside the page, in the page's own font and colours.

Matplotlib's output is a document of its own. Inside a page it would bring XML namespaces, ids
that clash with those of the next figure, and black lines that vanish in dark mode.
"""

from __future__ import annotations

import io
import re
from html import escape

from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

GRID = "#8a8f98"
STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a name with dollar signs is a name
    "font.family": "DejaVu Sans",  # wider than most, so that the page's font fits its place
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def inline(figure: Figure, name: str, title: str, description: str) -> str:
    """Draw a figure as an SVG element that fits into the page and no longer stands alone."""
    FigureCanvasSVG(figure)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    found = re.search(r'<svg[^>]*?width="([\d.]+)pt"[^>]*?viewBox="([^"]+)"', text)
    if found is None:
        raise RuntimeError("matplotlib wrote an SVG of another form")
    width = round(float(found[1]) * 4 / 3)  # points to CSS pixels
    body = text[text.index(">", found.start()) + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", body, flags=re.S)
    body = body.replace("xlink:href=", "href=")
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'href="#', f'href="#{name}-', body)
    body = re.sub(r"url\(#", f"url(#{name}-", body)
    body = re.sub(r"(fill|stroke): #000000", r"\1: currentColor", body)
    body = re.sub(r"'DejaVu Sans'[^;\"]*", "system-ui, sans-serif", body)
    return (
        f'<svg role="img" aria-labelledby="{name}-title" aria-describedby="{name}-desc" '
        f'viewBox="{found[2]}" style="width: {width}px; min-width: {round(0.72 * width)}px" '
        f'fill="currentColor">\n<title id="{name}-title">{escape(title)}</title>\n'
        f'<desc id="{name}-desc">{escape(description)}</desc>{body}'
    )


def stand_alone(svg: str) -> str:
    """A figure of the page as a file of its own: black on white, as no page says otherwise."""
    root = '<svg xmlns="http://www.w3.org/2000/svg" color="#000000" '
    back = '</desc><rect width="100%" height="100%" fill="#ffffff"/>'
    return svg.replace("<svg ", root, 1).replace("</desc>", back, 1)
