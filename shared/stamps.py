"""Whether a file is still the one that was read."""

from pathlib import Path

Stamp = tuple[int, int, int, int]


def stamp_of(path: Path) -> Stamp | None:
    """Another one where content, rights or place changed; None where there is no such file.

    Taken before the file is read: what is written in between is then read once more.
    """
    try:
        found = path.stat()
    except OSError:
        return None
    # by the time of the content alone, a copy that keeps it, or rights that are mended, go unseen
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
