"""A moment as a customer reads it."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

_ENGLISH: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_THAI: Final = (
    *("มกราคม", "กุมภาพันธ์", "มีนาคม", "เมษายน", "พฤษภาคม", "มิถุนายน"),
    *("กรกฎาคม", "สิงหาคม", "กันยายน", "ตุลาคม", "พฤศจิกายน", "ธันวาคม"),
)
_WRITTEN: Final[Mapping[str, Callable[[datetime], str]]] = {
    "en": lambda at: f"{at.day} {_ENGLISH[at.month - 1]} {at.year}, {at:%H:%M}",
    "de": lambda at: f"{at.day}.{at.month}.{at.year}, {at:%H:%M} Uhr",
    "ko": lambda at: f"{at.year}년 {at.month}월 {at.day}일 {at:%H:%M}",
    "th": lambda at: f"{at.day} {_THAI[at.month - 1]} {at.year + 543} เวลา {at:%H:%M} น.",
}


def zone_or(name: str | None, otherwise: ZoneInfo) -> ZoneInfo:
    """The customer's time zone, if it is one."""
    try:
        return ZoneInfo(name) if name else otherwise
    except (ValueError, OSError, KeyError):
        return otherwise


def write_moment(at: datetime, language: str, zone: ZoneInfo) -> str:
    """Day and minute in the customer's zone; ISO 8601 where the language is not known."""
    local = at.astimezone(zone)
    write = _WRITTEN.get(language)
    return write(local) if write else f"{local:%Y-%m-%d %H:%M}"
