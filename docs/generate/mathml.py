"""Equations as MathML, which browsers draw themselves: no script, no network."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

SPELT_OTHERWISE = {r"\big": "", r"\Big": "", r"\dots": r"\ldots", r"\texttt": r"\mathtt"}
"""Commands that the converter does not know; brackets stretch by themselves in MathML."""
ACCENTED = re.compile(r"(\\(?:bar|hat)\\[a-z]+)")
"""An accented letter, which is set apart: the converter would put the letter's index between it and its accent."""


def setup(app: Any) -> None:
    """Register the renderer `mathml` with Sphinx."""
    app.add_html_math_renderer("mathml", inline_renderers=(_inline, None), block_renderers=(_block, None))


def _inline(translator: Any, node: Any) -> None:
    translator.body.append(_mathml(node, as_block=False))
    raise nodes.SkipNode


def _block(translator: Any, node: Any) -> None:
    translator.body.append(f'<div class="equation">{_mathml(node, as_block=True)}</div>\n')
    raise nodes.SkipNode


def _mathml(node: Any, *, as_block: bool) -> str:
    tex = ACCENTED.sub(r"{\1{}}", node.astext())
    for command, other in SPELT_OTHERWISE.items():
        tex = tex.replace(command, other)
    try:
        return str(tex2mathml(tex, as_block=as_block))
    except MathError as error:
        logging.getLogger(__name__).warning("%s in %s", error, node.astext(), location=node)
        return f"<code>{node.astext()}</code>"
