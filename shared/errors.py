"""What can go wrong, said so that the caller knows what to do.

EarshotError            an expected outcome of an HTTP call; rendered as RFC 9457 by `shared.web`
├── BadJson             400  the body is not JSON
├── Unauthorised        401  no key, or not a valid one
├── Forbidden           403  the key lacks a scope (named)
├── NotFound            404
├── Conflict            409  the state forbids it
├── Gone                410
├── TooLarge            413
├── UnsupportedMedia    415
├── Invalid             422  fields, each named with what is accepted
├── TooMany             429  with Retry-After
└── Unavailable         503  with Retry-After
Refused                 a Kafka record that can never be processed: it becomes a dead letter

Anything else that is raised is a bug: 500 over HTTP, dead letter `bug` on a topic.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import ClassVar

_VALUE_SHOWN = 100


@dataclass(frozen=True, slots=True)
class FieldFault:
    """One field's fault: which, what kind, what came, what is accepted."""

    field: str
    code: str
    value: str | None
    accepted: str

    def sentence(self) -> str:
        """The fault in words: `answers.score: 11 is not a whole number from 0 to 10`."""
        if self.value is None:
            return f"{self.field} is missing; accepted: {self.accepted}"
        if self.code == "unknown-field":
            return f"{self.field} is not known; {self.accepted}"
        shown = self.value[:_VALUE_SHOWN]
        if self.accepted.startswith(("a ", "an ", "one of ")):
            return f"{self.field}: {shown} is not {self.accepted}"
        return f"{self.field}: {shown} is not accepted; accepted: {self.accepted}"

    def to_json(self) -> dict[str, str | None]:
        return {
            "field": self.field,
            "code": self.code,
            "value": self.value if self.value is None else self.value[:_VALUE_SHOWN],
            "accepted": self.accepted,
        }


class EarshotError(Exception):
    """An expected outcome that an HTTP caller must hear about."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal Server Error"

    def __init__(self, detail: str, errors: Sequence[FieldFault] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)

    def headers(self) -> dict[str, str]:
        return {}

    def problem(self) -> dict[str, object]:
        """The RFC 9457 body."""
        body: dict[str, object] = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = [fault.to_json() for fault in self.errors]
        return body


class BadJson(EarshotError):
    status, title = 400, "Bad Request"


class Unauthorised(EarshotError):
    status, title = 401, "Unauthorized"

    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": "Bearer"}


class Forbidden(EarshotError):
    status, title = 403, "Forbidden"


class NotFound(EarshotError):
    status, title = 404, "Not Found"


class Conflict(EarshotError):
    status, title = 409, "Conflict"


class Gone(EarshotError):
    status, title = 410, "Gone"


class TooLarge(EarshotError):
    status, title = 413, "Content Too Large"


class UnsupportedMedia(EarshotError):
    status, title = 415, "Unsupported Media Type"


class Invalid(EarshotError):
    """Fields that cannot be taken. `detail` is the first fault as a sentence."""

    status, title = 422, "Unprocessable Content"

    @classmethod
    def of(cls, faults: Sequence[FieldFault]) -> "Invalid":
        return cls("; ".join(fault.sentence() for fault in faults[:3]), faults)


class _Later(EarshotError):
    def __init__(self, detail: str, *, retry_after_s: int = 5) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s

    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after_s)}


class TooMany(_Later):
    status, title = 429, "Too Many Requests"


class Unavailable(_Later):
    status, title = 503, "Service Unavailable"


class Reason(StrEnum):
    """Why a record became a dead letter (contract: header `earshot-reason`)."""

    BAD_JSON = "bad-json"
    BAD_UTF8 = "bad-utf8"
    MISSING_FIELD = "missing-field"
    WRONG_TYPE = "wrong-type"
    OUT_OF_RANGE = "out-of-range"
    TOO_LARGE = "too-large"
    UNKNOWN_SURVEY = "unknown-survey"
    DATABASE = "database"
    BUG = "bug"


class Refused(Exception):
    """A record that can never be processed. `detail` names the field, never its value."""

    def __init__(self, reason: Reason, detail: str, field: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.field = field


def answer_to(refused: Refused) -> EarshotError:
    """What a refusal means to an HTTP caller: 400 where it is no JSON, else 422."""
    if refused.reason in (Reason.BAD_JSON, Reason.BAD_UTF8):
        return BadJson(refused.detail)
    accepted = refused.detail.removeprefix(f"{refused.field}: ").removesuffix(" is accepted")
    if refused.reason is Reason.MISSING_FIELD:
        accepted = "a value is needed"
    fault = FieldFault(refused.field or "body", refused.reason, None, accepted)
    return Invalid(refused.detail, [fault])


def unknown_name(field: str, name: str, known: Iterable[str]) -> FieldFault:
    """The fault for a name that does not exist, with the nearest that does."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    known_names = f"known: {', '.join(names)}" if names else "none is known here"
    hint = f"did you mean {near[0]}?" if near else known_names
    return FieldFault(field, "unknown-field", name, hint)
