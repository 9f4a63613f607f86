"""How Kafka is reached: what fits together, what contradicts itself, and one place that knows."""

import ast
from functools import cache
from pathlib import Path

import pytest

from shared.security import Login, Security
from shared.settings import KafkaSettings, SettingsFault, read_settings
from shared.stream.kafka.reach import reach
from shared.tls import Trust

ROOT = Path(__file__).resolve().parents[2]
SASL = {"SECURITY": "sasl-plaintext", "USERNAME": "ingest"}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("SECURITY", "CA_FILE", "CERT_FILE", "KEY_FILE", "SASL_MECHANISM", "USERNAME",
                 "PASSWORD", "PASSWORD_FILE", "EMBEDDED"):  # fmt: skip
        monkeypatch.delenv(f"EARSHOT_KAFKA_{name}", raising=False)
    monkeypatch.setenv("EARSHOT_KAFKA_BOOTSTRAP", "kafka:9092")
    return monkeypatch


def read(told: pytest.MonkeyPatch, **variables: str) -> KafkaSettings:
    for name, value in variables.items():
        told.setenv(f"EARSHOT_KAFKA_{name}", value)
    return read_settings(KafkaSettings)


def test_without_a_word_kafka_is_plaintext(told: pytest.MonkeyPatch) -> None:
    assert reach("kafka:9092", read(told).security) == {
        "bootstrap_servers": "kafka:9092", "security_protocol": "PLAINTEXT",
    }  # fmt: skip


def test_tls_with_a_password_is_made_of_what_is_named(
    told: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.write_text("one\n")
    found = read(told, **SASL | {"SECURITY": "sasl-tls"}, PASSWORD_FILE=str(secret)).security

    assert found.tls == Trust()
    assert found.login is not None
    assert (found.login.username, found.login.mechanism) == ("ingest", "SCRAM-SHA-512")
    assert found.login.password() == "one"
    secret.write_text("two")
    assert found.login.password() == "two"
    assert reach("k:1", found)["security_protocol"] == "SASL_SSL"


def test_no_secret_is_shown(told: pytest.MonkeyPatch) -> None:
    settings = read(told, **SASL, PASSWORD="hush-hush")

    assert "hush-hush" not in f"{settings!r} {settings.security!r} {settings.model_dump()}"
    assert settings.security.login == Login("SCRAM-SHA-512", "ingest", "hush-hush")


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"SECURITY": "ssl"}, "EARSHOT_KAFKA_SECURITY: .*'sasl-tls'"),
        ({"PASSWORD": "hush-hush"}, "PASSWORD is for sasl-tls or sasl-plaintext.* is plaintext"),
        ({"USERNAME": "x", "SECURITY": "tls"}, "USERNAME is for sasl-tls .*SECURITY is tls"),
        ({"CA_FILE": "/ca"}, "CA_FILE is for tls or sasl-tls"),
        ({"SECURITY": "tls", "CERT_FILE": "/x"}, "go together"),
        ({"SECURITY": "tls", "CA_FILE": "/none"}, "KAFKA_CA_FILE: /none holds no certificate: No"),
        ({"SECURITY": "tls", "CERT_FILE": "/c", "KEY_FILE": "/k"}, "CERT_FILE.*KEY_FILE: /c and"),
        ({"SECURITY": "sasl-tls", "PASSWORD": "x"}, "USERNAME is missing"),
        (SASL, "EARSHOT_KAFKA_PASSWORD or EARSHOT_KAFKA_PASSWORD_FILE is missing"),
        (SASL | {"PASSWORD": "x", "PASSWORD_FILE": "/p"}, "one of them is enough"),
        (SASL | {"PASSWORD_FILE": "/none"}, "PASSWORD_FILE: /none cannot be read"),
        (SASL | {"PASSWORD": "x", "SASL_MECHANISM": "PLAIN"}, "PLAIN sends the password as it is"),
        (SASL | {"PASSWORD": "x", "SASL_MECHANISM": "MD5"}, "KAFKA_SASL_MECHANISM: .*SCRAM"),
        ({"SECURITY": "tls", "EMBEDDED": "true"}, "the embedded Kafka speaks plaintext alone"),
    ],
)
def test_what_does_not_fit_is_named(
    told: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    with pytest.raises(SettingsFault, match=said) as fault:
        read(told, **variables)

    assert "hush-hush" not in str(fault.value)


def test_a_file_that_is_no_certificate_is_named_and_not_shown(
    told: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ca = tmp_path / "ca.crt"
    ca.write_text("-----BEGIN CERTIFICATE-----\nhush-hush\n-----END CERTIFICATE-----\n")

    with pytest.raises(SettingsFault, match=f"EARSHOT_KAFKA_CA_FILE: {ca} holds no") as fault:
        read(told, SECURITY="tls", CA_FILE=str(ca))

    assert "hush-hush" not in str(fault.value)


@cache
def sources() -> dict[str, ast.Module]:
    """Those that speak of Kafka."""
    paths = [path for name in ("shared", "services") for path in (ROOT / name).rglob("*.py")]
    texts = {path.relative_to(ROOT).as_posix(): path.read_text() for path in paths}
    return {path: ast.parse(text) for path, text in texts.items() if "kafka" in text.lower()}


def calls(tree: ast.Module) -> list[ast.Call]:
    """Of functions by their plain names."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [call for call in found if isinstance(call.func, ast.Name)]


def test_every_client_of_kafka_is_made_of_what_one_place_says() -> None:
    clients = {"AIOKafkaConsumer", "AIOKafkaProducer", "AIOKafkaAdminClient", "AIOKafkaClient"}
    made, by_hand = [], []
    for path, tree in sources().items():
        for call in calls(tree):
            given = {keyword.arg for keyword in call.keywords}
            spread = [k.value for k in call.keywords if k.arg is None]
            if any(ast.unparse(value).startswith("reach(") for value in spread):
                made.append(path.rpartition("/")[2])
            if "bootstrap_servers" in given or (ast.unparse(call.func) in clients and not spread):
                by_hand.append(path)

    assert sorted(made) == ["opening.py", "producer.py", "reading.py", "room.py", "topics.py"]
    assert by_hand == []


def test_who_talks_to_a_kafka_that_was_named_says_how() -> None:
    """But `make kafka`, whose own it is."""
    askers = {"open_reader", "read_all", "cluster_id", "create_topics", "topic_faults"}
    silent = [
        f"{path}: {ast.unparse(call.func)}"
        for path, tree in sources().items()
        for call in calls(tree)
        if ast.unparse(call.func) in askers and "security" not in ast.unparse(call)
    ]

    assert silent == ["services/commands/kafka.py: create_topics"]


def test_a_password_goes_with_any_tls() -> None:
    kinds = [Security(), Security(Trust()), Security(login=Login("PLAIN", "u", "p"))]

    assert [reach("x", one)["security_protocol"] for one in kinds] == [
        "PLAINTEXT", "SSL", "SASL_PLAINTEXT",
    ]  # fmt: skip
