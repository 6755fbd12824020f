"""A worker page as the XML that the Requester API takes for a question (HTMLQuestion, 2011-11-11)."""

from __future__ import annotations

import re

from groundswell.errors import TemplateError

HTML_QUESTION_SCHEMA = (
    "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/HTMLQuestion.xsd"
)
MAX_QUESTION_BYTES = 65_535

# everything but XML 1.0's Char production
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def unsendable_character(text: str) -> str | None:
    """The first character of ``text`` that XML 1.0 has no way to carry, as "U+000B", or None."""
    match = _NOT_XML.search(text)
    return f"U+{ord(match[0]):04X}" if match else None


def html_question(html: str, frame_height: int) -> str:
    """Wrap a page in HTMLQuestion XML.

    The page comes out of an XML parser as it went in, except that XML turns a carriage return into a line
    feed. ``]]>``, which would end a CDATA section, is spread over two sections.

    Args:
        html: the whole page.
        frame_height: height of the worker's frame in pixels; 0 fills the window.

    Raises:
        TemplateError: if a character cannot be sent, or the XML is longer than 65,535 bytes.
    """
    character = unsendable_character(html)
    if character:
        raise TemplateError(
            f"the page has the character {character}, which XML cannot carry; remove it from the template"
        )
    content = html.replace("]]>", "]]]]><![CDATA[>")
    xml = (
        f'<HTMLQuestion xmlns="{HTML_QUESTION_SCHEMA}"><HTMLContent><![CDATA[{content}]]></HTMLContent>'
        f"<FrameHeight>{frame_height}</FrameHeight></HTMLQuestion>"
    )
    size = len(xml.encode())
    if size > MAX_QUESTION_BYTES:
        raise TemplateError(
            f"the question has {size:,} bytes, the limit is {MAX_QUESTION_BYTES:,}; shorten the template, "
            "or serve images by https rather than from task.image_folder"
        )
    return xml
