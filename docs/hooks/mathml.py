"""Formulas become MathML while the site is built, so that pages need no script from anywhere.

`$...$` and `$$...$$` in a page are wrapped by the `pymdownx.arithmatex` extension; here they are
replaced by what every current browser shows by itself.
"""

from __future__ import annotations

import html
import re
from typing import Any

from latex2mathml.converter import convert

INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
DISPLAY = re.compile(r'<div class="arithmatex">\s*\\\[(.*?)\\\]\s*</div>', re.DOTALL)


def on_page_content(content: str, **_: Any) -> str:
    """Replace every formula of a page (called by mkdocs)."""
    content = INLINE.sub(lambda found: convert(html.unescape(found[1]).strip()), content)
    return DISPLAY.sub(lambda found: convert(html.unescape(found[1]).strip(), display="block"), content)
