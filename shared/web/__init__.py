"""The web chassis: every service's HTTP answers, errors, limits and health alike."""

from shared.stream.pipeline import Check
from shared.web.app import Parts, build_web
from shared.web.pages import Page, decode_cursor, decode_place, encode_cursor, page_of
from shared.web.traced import TracedRequests, follow

__all__ = [
    "Check",
    "Page",
    "Parts",
    "TracedRequests",
    "build_web",
    "decode_cursor",
    "decode_place",
    "encode_cursor",
    "follow",
    "page_of",
]
