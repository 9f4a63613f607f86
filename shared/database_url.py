"""PostgreSQL's address: libpq's words for TLS, which asyncpg takes another way.

`sslmode` is disable, prefer (as without any word), require or verify-full; whoever names
`sslrootcert` means verify-full. `sslcert` and `sslkey` are our own.
"""

import ssl
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from shared.tls import Trust

_MODES: Final = ("disable", "prefer", "require", "verify-full")
_WORDS: Final = ("ssl", "sslmode", "sslrootcert", "sslcert", "sslkey")


def check_tls(url: str, ca: Path | None) -> str:
    """The address, with this CA where one is named; its words fit together and its files are read.

    Raises ValueError that says what is accepted, or TlsFilesFault.
    """
    try:
        found = make_url(url)
    except (ArgumentError, ValueError):
        raise ValueError("it is no PostgreSQL address") from None
    if ca is not None:
        _checked_mode(found, ca)
        words = {"sslmode": "verify-full", "sslrootcert": str(ca)}
        found = found.difference_update_query(["ssl"]).update_query_dict(words)
        url = found.render_as_string(hide_password=False)
    tls_of(found)
    return url


def async_url(url: str) -> URL:
    """The URL with the driver that we use, whichever its writer named, and no word of TLS."""
    return make_url(url).set(drivername="postgresql+asyncpg").difference_update_query(_WORDS)


def tls_of(url: URL) -> str | ssl.SSLContext | None:
    """Asyncpg's `ssl` for a connection that is opened now: the files are read.

    Raises ValueError for words that do not fit, and TlsFilesFault.
    """
    root, cert, key = (_word(url, name) for name in ("sslrootcert", "sslcert", "sslkey"))
    mode = _checked_mode(url, root)
    if (cert is None) != (key is None):
        raise ValueError("its sslcert and sslkey go together: one is missing")
    if root is None and mode != "verify-full":
        if cert is not None:
            raise ValueError("its sslcert is for sslmode=verify-full: who knows us, we know too")
        return mode
    return Trust(_path(root), _path(cert), _path(key)).context()


def connect_arguments(url: str) -> dict[str, Any]:
    """What asyncpg is told of TLS, for a connection that is opened now."""
    found = tls_of(make_url(url))
    return {} if found is None else {"ssl": found}


def _checked_mode(url: URL, ca: str | Path | None) -> str | None:
    mode = _word(url, "sslmode") or _word(url, "ssl")
    if mode not in (None, *_MODES):
        raise ValueError(f"its sslmode is none of {', '.join(_MODES)}")
    if mode == "disable" and ca is not None:
        raise ValueError("its sslmode is disable, and a CA is named: one of them is too much")
    return mode


def _word(url: URL, name: str) -> str | None:
    found = url.query.get(name)
    return found if isinstance(found, str) or found is None else found[-1]


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
