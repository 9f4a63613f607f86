"""When the interpreter looks for garbage that counting references has left."""

import gc
from typing import Final

# By default all that is young is walked through at each 700th object and all else at each 70,000th,
# which a batch reaches many times while nothing of it can go: a tenth of what deciding on events
# takes. Cycles are few here, and are found with the 50,000th.
_EVERY: Final = (50_000, 20, 10)


def look_seldom() -> None:
    """Look through all once more, and never again through what stands now; then seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_EVERY)
