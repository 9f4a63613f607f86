"""A Kafka that lets in whom it knows, and lets each do what its flow says and no more.

One door asks for a certificate, one for a password in TLS, one for a password in the clear. The
plain door of every Kafka of ours is that of the super user here.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType
from confluent_kafka.admin._scram import (
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from shared.flows import FLOWS, group_of
from shared.security import Login, Security
from shared.tls import Trust
from tests.support.certificates import Authority, Paper
from tests.support.ground import Ground, open_ground
from tests.support.ports import free_ports

TOPIC, GROUP = ResourceType.TOPIC, ResourceType.GROUP
DESCRIBE, READ, WRITE = AclOperation.DESCRIBE, AclOperation.READ, AclOperation.WRITE
CREATE = AclOperation.CREATE
PASSWORD = "correct-horse-battery"
MECHANISM = "SCRAM-SHA-512"
_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
Right = tuple[ResourceType, str, AclOperation]


@dataclass(frozen=True)
class Site:
    """The doors by Kafka's names of protocols, and who vouches for whom."""

    ground: Ground
    doors: Mapping[str, int]
    authority: Authority
    stranger: Authority
    folder: Path

    def door(self, protocol: str, host: str = "127.0.0.1") -> str:
        return f"{host}:{self.doors[protocol]}"

    def paper(self, service: str) -> Paper:
        return self.authority.issue(f"earshot-{service}")

    def admit(self, name: str, password: str) -> None:
        """Let the user in with this password from now on."""
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        told = UserScramCredentialUpsertion(name, info, password.encode())
        admin = self._admin()  # it ends what it was asked with itself
        for done in admin.alter_user_scram_credentials([told]).values():
            done.result(20)
        while not self._comes_in(name, password):  # the broker hears of it from its controller
            time.sleep(0.05)

    def _comes_in(self, name: str, password: str) -> bool:
        told: dict[str, str | int | float | bool] = {
            "bootstrap.servers": self.door("SASL_SSL"),
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": name,
            "sasl.password": password,
            "ssl.ca.location": str(self.authority.ca),
            "log_level": 0,
        }
        try:
            AdminClient(told).list_topics(timeout=1)
        except KafkaException:
            return False
        return True

    def allow(self, user: str, rights: Sequence[Right]) -> None:
        """Both for who shows a certificate of this name and for who logs in by it."""
        wanted = [
            AclBinding(
                kind, name, ResourcePatternType.LITERAL, f"User:{principal}", "*", operation,
                AclPermissionType.ALLOW,
            )
            for kind, name, operation in rights
            for principal in (user, f"CN={user}")
        ]  # fmt: skip
        admin = self._admin()
        for done in admin.create_acls(wanted).values():
            done.result(20)

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.ground.kafka.bootstrap, "log_level": 3})


def rights_of(service: str, prefix: str) -> list[Right]:
    """What the service does, and no more."""
    flow = FLOWS[service]
    rights = [(TOPIC, f"{prefix}{name}", DESCRIBE) for name in flow.uses]
    rights += [(TOPIC, f"{prefix}{name}", READ) for name in flow.reads]
    rights += [(TOPIC, f"{prefix}{name}", WRITE) for name in flow.writes]
    if flow.reads:
        rights.append((GROUP, f"{prefix}{group_of(service)}", READ))
    return rights


@contextmanager
def open_site(folder: Path) -> Iterator[Site]:
    authority, stranger = Authority(folder / "ours"), Authority(folder / "other")
    doors = dict(zip(("SSL", "SASL_SSL", "SASL_PLAINTEXT"), free_ports(3), strict=True))
    properties = {
        "group.min.session.timeout.ms": "1000",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(authority.issue("kafka").joined),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.ca),
        "listener.name.ssl.ssl.client.auth": "required",
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": _LOGIN,
        "listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config": _LOGIN,
    }
    with open_ground(folder / "ground", properties=properties, doors=doors) as ground:
        yield Site(ground, doors, authority, stranger, folder)


def settings_of(site: Site, user: str, security: str, folder: Path) -> dict[str, str]:
    """What a service is told to come in by this door as this user."""
    told = {"EARSHOT_KAFKA_SECURITY": security, "EARSHOT_KAFKA_CA_FILE": str(site.authority.ca)}
    if security == "tls":
        paper = site.authority.issue(user)
        return told | {
            "EARSHOT_KAFKA_BOOTSTRAP": site.door("SSL"),
            "EARSHOT_KAFKA_CERT_FILE": str(paper.cert),
            "EARSHOT_KAFKA_KEY_FILE": str(paper.key),
        }
    site.admit(user, PASSWORD)
    secret = folder / f"{user}.password"
    secret.write_text(f"{PASSWORD}\n")
    return told | {
        "EARSHOT_KAFKA_BOOTSTRAP": site.door("SASL_SSL"),
        "EARSHOT_KAFKA_USERNAME": user,
        "EARSHOT_KAFKA_PASSWORD_FILE": str(secret),
    }


def logged_in(
    site: Site, user: str, secret: str | Path = PASSWORD, mechanism: str = MECHANISM
) -> Security:
    return Security(Trust(site.authority.ca), Login(mechanism, user, secret))
