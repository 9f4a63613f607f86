"""Certificates of authorities of our own, made by openssl."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True)
class Paper:
    """A certificate and its key, both PEM."""

    cert: Path
    key: Path

    @property
    def joined(self) -> Path:
        """Both in one file, as Java wants them."""
        found = self.cert.with_suffix(".pem")
        found.write_text(self.key.read_text() + self.cert.read_text())
        found.chmod(0o600)
        return found


class Authority:
    """Signs certificates. Its own is `ca`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.ca, self._key = folder / "ca.crt", folder / "ca.key"
        _openssl(
            "req", "-x509", *_KEY, "-days", "2", "-subj", "/CN=authority",
            "-keyout", self._key, "-out", self.ca,
        )  # fmt: skip

    def issue(self, name: str, *, address: str = "IP:127.0.0.1", days: int = 2) -> Paper:
        """A certificate for this name, and as a server for this address."""
        paper = Paper(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        asked, words = self._folder / f"{name}.csr", self._folder / f"{name}.ext"
        words.write_text(f"basicConstraints=CA:FALSE\nsubjectAltName={address}\n")
        _openssl("req", *_KEY, "-subj", f"/CN={name}", "-keyout", paper.key, "-out", asked)
        _openssl(
            "x509", "-req", "-in", asked, "-CA", self.ca, "-CAkey", self._key, "-CAcreateserial",
            "-days", days, "-extfile", words, "-out", paper.cert,
        )  # fmt: skip
        return paper


def _openssl(*arguments: object) -> None:
    command = ["openssl", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
