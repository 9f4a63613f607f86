"""Ways to send something out of Earshot: each a `Sender`, each failing in the same words."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, Protocol, TypeVar

M_contra = TypeVar("M_contra", contravariant=True)


SEND_WITHIN: Final = timedelta(seconds=25)
LONGEST_ASKED: Final = timedelta(hours=1)

# Awaited before the step that cannot be taken back, where the other side knows no repeats. What it
# raises ends the try, and nothing was sent.
HandOver = Callable[[], Awaitable[None]]


async def unasked() -> None:
    """Nobody needs to know when a message is handed over."""


def lease_for(within: timedelta) -> timedelta:
    """How long a try that may take `within` belongs to its sender; then others take it over."""
    return within + max(within / 5, timedelta(seconds=1))


class SendFailed(Exception):
    """Nothing was delivered; `detail` is one sentence.

    `permanent`: trying this message again will not help. `gone`: the other side wants no further
    message at all. `wait`: how long it asked to be left alone, where it did.
    """

    def __init__(
        self, detail: str, *, permanent: bool, gone: bool = False, wait: timedelta | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.permanent = permanent
        self.gone = gone
        self.wait = wait


def asked_to_wait(retry_after: str | None) -> timedelta | None:
    """The seconds of a `Retry-After` header, at most an hour; None where it names none."""
    text = (retry_after or "").strip()
    if not text.isascii() or not text.isdigit():
        return None
    return min(timedelta(seconds=int(text[:6])), LONGEST_ASKED)


class SendInDoubt(Exception):
    """It may have been delivered: the connection ended before the other side said so."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Sender(Protocol[M_contra]):
    """Sends one message.

    `repeatable` says that the receiver knows a message that comes twice by its id, so that it may
    be sent again after a crash. `capacity`: how many it sends at the same time; more would wait.
    """

    @property
    def repeatable(self) -> bool: ...

    @property
    def capacity(self) -> int: ...

    async def send(self, message: M_contra) -> None:
        """Return once the other side has taken it. Raises SendFailed or SendInDoubt."""
        ...
