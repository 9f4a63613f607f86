"""The version of Earshot; pyproject.toml and the image's label say the same."""

from typing import Final

VERSION: Final = "0.1.0"
