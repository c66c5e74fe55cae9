"""OSS's answers: XML without a namespace, and errors in OSS's own words."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import quote
from xml.etree import ElementTree

from aiohttp import web

# An element's children: a text, more children, or several of one name.
Content = str | dict[str, "Content"] | list["Content"]


class Refusal(Exception):
    """What OSS answers instead: HTTP status, its code, and a message for a person."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def body(self, request_id: str, host: str) -> bytes:
        parts: Content = {
            "Code": self.code,
            "Message": self.message,
            "RequestId": request_id,
            "HostId": host,
        }
        return document("Error", parts)


def document(name: str, content: Content) -> bytes:
    """Return an XML document."""
    root = ElementTree.Element(name)
    _fill(root, content)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text


def xml(name: str, content: Content) -> web.Response:
    return web.Response(body=document(name, content), content_type="application/xml")


def time(seconds: float) -> str:
    """A time as OSS's XML writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def encoded(key: str, params: dict[str, str]) -> str:
    """Return a key as the request wants it: XML cannot hold every character of one."""
    return quote(key, safe="/") if params.get("encoding-type") == "url" else key


def texts(body: bytes, path: str) -> list[str]:
    """Return the texts of all elements at `path` of a request's XML."""
    return [element.text or "" for element in parsed(body).iterfind(path)]


def parsed(body: bytes) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        raise Refusal(400, "MalformedXML", f"The XML you provided is invalid: {error}") from error


def _fill(element: ElementTree.Element, content: Content) -> None:
    if isinstance(content, str):
        element.text = content
        return
    assert isinstance(content, dict)
    for name, child in content.items():
        several: Iterable[Content] = child if isinstance(child, list) else [child]
        for each in several:
            _fill(ElementTree.SubElement(element, name), each)
