"""How every client of ours reaches Kafka: the one place that makes the arguments.

aiokafka makes its connections, also the later ones, with what the client was given at its start. It
is given the files' names, and each connection reads them: a certificate or a password that was
renewed needs no restart.
"""

from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from shared.security import PLAINTEXT, Login, SecretUnread, Security
from shared.tls import TlsFilesFault, Trust, tls_fault

_PROTOCOLS: Final = {
    (False, False): "PLAINTEXT",
    (True, False): "SSL",
    (True, True): "SASL_SSL",
    (False, True): "SASL_PLAINTEXT",
}
_connect: Final = AIOKafkaConnection.connect
_refused: Final[dict[tuple[str, int], str]] = {}  # as many as there are brokers


def reach(bootstrap: str, security: Security = PLAINTEXT) -> dict[str, Any]:
    """What each client of aiokafka is given: the address, and how to get in."""
    login = security.login
    told: dict[str, Any] = {
        "bootstrap_servers": bootstrap,
        "security_protocol": _PROTOCOLS[security.tls is not None, login is not None],
    }
    if security.tls is not None:
        told["ssl_context"] = security.tls
    if login is not None:
        told["sasl_mechanism"] = login.mechanism
        told["sasl_plain_username"] = login.username
        told["sasl_plain_password"] = login
    return told


def why_refused(client: Any) -> str:
    """What the brokers of this client have against us, or we against them; empty for nothing."""
    hosts = [(host, int(port)) for host, port, _ in client.hosts]
    hosts += [(broker.host, broker.port) for broker in client.cluster.brokers()]
    known = {place: _refused[place] for place in hosts if place in _refused}
    return "; ".join(f"{host}:{port}: {why}" for (host, port), why in known.items())


def told(what: str, error: BaseException, client: Any) -> str:
    """One sentence: what failed by which error, and what the brokers have against us."""
    return f"{what}: {why_refused(client) or f'{type(error).__name__}: {error}'}"


async def _connect_afresh(connection: Any) -> Any:
    """As it was, with the files as they are now; notes why a broker is not to be had."""
    place = (connection.host, int(connection.port))
    try:
        _read_files(connection)
        found = await _connect(connection)
    except (OSError, KafkaError) as error:
        _note(place, _why(error, connection))
        raise
    except (ValueError, LookupError) as error:  # what SCRAM makes of an answer that is none
        _note(place, "it does not prove that it knows the password")
        raise KafkaConnectionError(f"connection at {connection.host}: SCRAM failed") from error
    _refused.pop(place, None)
    return found


AIOKafkaConnection.connect = _connect_afresh


def _read_files(connection: Any) -> None:
    if isinstance(connection._ssl_context, Trust):  # noqa: SLF001 - there is no public way
        connection._ssl_context = connection._ssl_context.context()  # noqa: SLF001
    if isinstance(connection._sasl_plain_password, Login):  # noqa: SLF001
        connection._sasl_plain_password = connection._sasl_plain_password.password()  # noqa: SLF001


def _note(place: tuple[str, int], why: str | None) -> None:
    if why is None:
        _refused.pop(place, None)
    else:
        _refused[place] = why


def _why(error: OSError | KafkaError, connection: Any) -> str | None:
    """In words, what stands between us; None for a broker that is away."""
    if isinstance(error, TlsFilesFault | SecretUnread):
        return str(error)
    if isinstance(error, SaslAuthenticationFailed):
        name = connection._sasl_plain_username  # noqa: SLF001
        return f"it does not take the password of the user {name}, or knows no such user"
    if isinstance(error, UnsupportedSaslMechanismError):
        return f"it does not offer {connection._sasl_mechanism}"  # noqa: SLF001
    return tls_fault(error) or _hung_up(error)


def _hung_up(error: OSError | KafkaError) -> str | None:
    ends = (EOFError, ConnectionResetError, ConnectionAbortedError)
    if isinstance(error, ends) or isinstance(error.__cause__, ends):
        return "it hung up at once: EARSHOT_KAFKA_SECURITY may not be what it speaks there"
    return None
