"""The web chassis: every service's HTTP answers, errors, limits and health alike."""

from shared.stream.pipeline import Check
from shared.web.app import Parts, build_web
from shared.web.pages import Page, decode_cursor, decode_place, encode_cursor, page_of

__all__ = [
    "Check",
    "Page",
    "Parts",
    "build_web",
    "decode_cursor",
    "decode_place",
    "encode_cursor",
    "page_of",
]
