"""Who may submit an answer, and how often: machines by their key, customers by their link."""

from starlette.types import Scope

from shared.errors import EarshotError, NotFound, TooMany, Unauthorised
from shared.keys import KeyFile
from shared.web.door import Door


class Gate:
    """The limits of the one route that both use, which is known only from the body."""

    def __init__(self, keys: KeyFile, door: Door) -> None:
        self._keys = keys
        self._door = door

    def machine(self, authorization: str | None, scope: str) -> None:
        """Raises Unauthorised, Forbidden or TooMany."""
        if self._keys.asked:
            self._door.admit_key(self._keys.check(authorization, scope))

    def customer(self, request: Scope, token: object) -> None:
        """Raises TooMany."""
        self._door.admit_address(request)
        if isinstance(token, str):
            self._door.admit_link(token)

    def refused(
        self, request: Scope, authorization: str | None, error: EarshotError, *, counted: bool
    ) -> EarshotError:
        """What is said to a caller whose submission failed: without a good key, it counts, once."""
        if isinstance(error, NotFound):
            self._door.missed(request)
        elif not counted and self._keys.asked and self._keys.holder(authorization) is None:
            try:
                self._door.admit_address(request)
            except TooMany as late:
                return late
            if isinstance(error, Unauthorised):
                self._door.missed(request)
        return error
