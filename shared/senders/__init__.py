"""Ways to send something out of Earshot: each a `Sender`, each failing in the same words."""

from typing import Protocol, TypeVar

M_contra = TypeVar("M_contra", contravariant=True)


class SendFailed(Exception):
    """Nothing was delivered. `permanent`: trying again will not help. `detail` is one sentence."""

    def __init__(self, detail: str, *, permanent: bool) -> None:
        super().__init__(detail)
        self.detail = detail
        self.permanent = permanent


class SendInDoubt(Exception):
    """It may have been delivered: the connection ended before the other side said so."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Sender(Protocol[M_contra]):
    """Sends one message.

    `repeatable` says that the receiver knows a message that comes twice by its id, so that it may
    be sent again after a crash.
    """

    @property
    def repeatable(self) -> bool: ...

    async def send(self, message: M_contra) -> None:
        """Return once the other side has taken it. Raises SendFailed or SendInDoubt."""
        ...
