"""PostgreSQL's address, with libpq's words for TLS."""

import ssl
from pathlib import Path

import pytest
from sqlalchemy import make_url

from shared.database_url import async_url, tls_of
from shared.settings import SettingsFault, trusting
from tests.support.certificates import Authority

URL = "postgresql://earshot:hush-hush@db/earshot"


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Authority(tmp_path_factory.mktemp("ca")).ca


def test_without_a_word_the_address_stays_as_it_is() -> None:
    assert trusting(URL, "NAME", None) == URL
    assert tls_of(make_url(URL)) is None


@pytest.mark.parametrize("words", ["", "?sslmode=require", "?sslmode=verify-full", "?ssl=require"])
def test_a_named_authority_means_that_certificate_and_name_are_checked(
    ca: Path, words: str
) -> None:
    found = tls_of(make_url(trusting(f"{URL}{words}", "NAME", ca)))

    assert isinstance(found, ssl.SSLContext)
    assert found.check_hostname
    assert found.verify_mode is ssl.CERT_REQUIRED
    assert len(found.get_ca_certs()) == 1


@pytest.mark.parametrize("mode", ["disable", "prefer", "require"])
def test_modes_that_check_nothing_are_asyncpgs(mode: str) -> None:
    assert tls_of(make_url(f"{URL}?sslmode={mode}")) == mode


def test_the_driver_hears_no_word_of_tls(ca: Path) -> None:
    url = async_url(trusting(f"{URL}?application_name=x", "NAME", ca))

    assert (
        url.render_as_string() == "postgresql+asyncpg://earshot:***@db/earshot?application_name=x"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("?sslmode=verify-ca", "NAME: its sslmode is none of disable, prefer"),
        ("?sslmode=disable&sslrootcert=/ca", "NAME: its sslmode is disable, and a CA is named"),
        ("?sslrootcert=/none", "NAME: /none holds no certificate"),
        ("?sslmode=require&sslcert=/c&sslkey=/k", "NAME: its sslcert is for sslmode=verify-full"),
        ("?sslmode=verify-full&sslcert=/c", "NAME: its sslcert and sslkey go together"),
        ("?sslkey=/k", "NAME: its sslcert and sslkey go together"),
        (":x", "NAME: it is no PostgreSQL address"),
    ],
)
def test_what_does_not_fit_is_named_without_the_password(words: str, said: str) -> None:
    url = URL.replace("@db/", f"@db{words}/") if words == ":x" else f"{URL}{words}"

    with pytest.raises(SettingsFault, match=said) as fault:
        trusting(url, "NAME", None)

    assert "hush-hush" not in str(fault.value)


def test_an_authority_that_contradicts_or_is_none_is_named(ca: Path) -> None:
    with pytest.raises(SettingsFault, match="NAME: its sslmode is disable"):
        trusting(f"{URL}?sslmode=disable", "NAME", ca)
    with pytest.raises(SettingsFault, match="EARSHOT_DATABASE_CA_FILE: /none holds no"):
        trusting(URL, "NAME", Path("/none"))
