"""TLS as a client: whom we trust, who we are, and in words why it came to nothing."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_OTHER_NAME: Final = frozenset({62, 64})  # X509_V_ERR_HOSTNAME_MISMATCH, …_IP_ADDRESS_MISMATCH
_ITS_TIME: Final = frozenset({9, 10})  # …_CERT_NOT_YET_VALID, …_CERT_HAS_EXPIRED
_OURS: Final = ("CERTIFICATE", "UNKNOWN_CA", "HANDSHAKE_FAILURE", "ACCESS_DENIED")


class TlsFilesFault(OSError):
    """A file cannot be used; the text names it and the fault, and nothing that stands in it.

    Where a connection is opened it is weather, as is any other fault of one: files are mended.
    """


@dataclass(frozen=True, slots=True)
class Trust:
    """Files in PEM. `ca` signs whom we talk to; without one, those whom this machine trusts do.

    `cert` and `key` are our own, where we are asked who we are.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """TLS 1.2 or newer, certificate and host name checked, the files as they are now.

        Raises TlsFilesFault.
        """
        context = ssl.create_default_context() if self.ca is None else _trusting(self.ca)
        if self.cert is not None:
            try:
                # who is asked for a password would wait for a person
                context.load_cert_chain(self.cert, self.key, password=lambda: "")
            except (OSError, ValueError) as error:
                files = f"{self.cert} and {self.key}"
                raise TlsFilesFault(
                    f"{files} are no certificate and its key: {_said(error)}"
                ) from None
        return context


def _trusting(ca: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ValueError) as error:
        raise TlsFilesFault(f"{ca} holds no certificate: {_said(error)}") from None


def _said(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not PEM").replace("_", " ").lower()
    return getattr(error, "strerror", None) or type(error).__name__


def tls_fault(error: BaseException) -> str | None:
    """What TLS has against it, in words; None where the error is none of TLS."""
    for one in _causes(error):
        if isinstance(one, ssl.SSLCertVerificationError):
            return _untrusted(one)
        if isinstance(one, ssl.SSLError):
            return _refused(one)
    return None


def _untrusted(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _OTHER_NAME:
        return f"its certificate is for another name: {error.verify_message}"
    if error.verify_code in _ITS_TIME:
        return f"its certificate is out of its time: {error.verify_message}"
    return f"its certificate is signed by none whom we trust: {error.verify_message}"


def _refused(error: ssl.SSLError) -> str:
    reason = error.reason or ""
    words = reason.replace("_", " ").lower() or "TLS failed"
    if "ALERT" in reason and any(word in reason for word in _OURS):
        return f"it does not take our certificate: {words}"
    if reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"}:
        return "it speaks no TLS there"
    return f"TLS: {words}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    seen: set[int] = set()
    while found is not None and id(found) not in seen:
        yield found
        seen.add(id(found))
        found = found.__cause__ or found.__context__
