"""Tables of the documentation that a program writes: what it prints is what stands there."""

from pathlib import Path


def write_between(page: Path, name: str, text: str) -> None:
    """Replace what stands between `<!-- name -->` and `<!-- /name -->`; raises without them."""
    first, last = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, found, rest = page.read_text(encoding="utf-8").partition(first)
    _, ended, after = rest.partition(last)
    if not found or not ended:
        raise ValueError(f"{page} has no place between {first.strip()} and {last}")
    page.write_text(f"{before}{first}{text.rstrip()}\n{last}{after}", encoding="utf-8")
