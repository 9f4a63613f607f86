"""How far behind the answers of replies are."""

from collections.abc import Iterable


def behind_s(
    now_s: float, waiting: Iterable[int], newest_ms: float, *, reading: bool
) -> float | None:
    """Seconds from the newest record that is counted to `now_s`; 0 where none waits.

    `waiting`: how many records each partition holds that are not counted. None where nobody knows:
    the consumer is not `reading`, or none of what waits has been counted since it began.
    """
    if not reading:
        return None
    if not any(waiting):
        return 0.0
    return max(0.0, now_s - newest_ms / 1000) if newest_ms else None
