"""The version of what the judge keeps of a line between two turns: its columns and its record.

It is raised with every change of what `FleetState` or `Detector.to_record` hold, in name or in
meaning. A newer judge takes over what an older one kept; an older one must not write over what it
does not know, so it stands down.
"""

from typing import Final

LAYOUT: Final = 2


class Outdated(Exception):
    """A newer version has judged: what it keeps is not ours to write."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(
            f"stands down: a newer version has judged (layout {found}, this one knows {known});"
            " upgrade this process"
        )
