"""The certificate authority of a folder, for scripts: calls `postern-certs`.

Used by `deployment/local` and the tests.
"""

import hashlib
import os
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_PROFILES = ("client", "edge", "worker", "portal", "server", "operator", "listen", "store")


class CertificateError(Exception):
    """What is wrong, in one line for people."""


@dataclass(frozen=True)
class Leaf:
    """A leaf certificate's files: the chain (leaf, then issuing CA) and its key."""

    certificate: Path
    key: Path

    @property
    def sha256(self) -> str:
        """Fingerprint of the leaf's DER, 64 lower-case hexadecimal digits."""
        return fingerprint(self.certificate)


def fingerprint(pem_file: Path) -> str:
    """SHA-256 of the first certificate in a PEM file, 64 lower-case hexadecimal digits."""
    text = Path(pem_file).read_text(encoding="ascii")
    end = "-----END CERTIFICATE-----"
    if end not in text:
        raise CertificateError(f"{pem_file}: no certificate in it")
    first = text[text.index("-----BEGIN CERTIFICATE-----") : text.index(end) + len(end)]
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(first)).hexdigest()


class Authority:
    """A folder with a root CA, ServicesCA, ClientsCA and what they issued. certs/README.md says what lies where.

    `bin_folder`: where postern-certs lies; the tests' build folder, or build/dev, when none is given.
    """

    def __init__(self, folder: Path, bin_folder: Path | None = None):
        self.folder = Path(folder)
        build = Path(os.environ.get("POSTERN_BUILD") or _ROOT / "build" / "dev")
        self._program = (Path(bin_folder) if bin_folder else build / "bin") / "postern-certs"
        if not (self.folder / "root_ca.pem").exists():
            raise CertificateError(
                f"{self.folder}: no certificate authority there; make one with `postern-certs init`")
        self.trust_domain = (self.folder / "trust_domain").read_text(encoding="ascii").strip()
        self.root_ca = self.folder / "root_ca.pem"
        self.services_ca = self.folder / "services_ca.pem"
        self.services_anchor = self.folder / "services_anchor.pem"
        self.clients_ca = self.folder / "clients_ca.pem"
        self.passphrase = self.folder / "passphrase"

    @classmethod
    def create(cls, folder: Path, trust_domain: str, bin_folder: Path | None = None) -> "Authority":
        """Makes the three CAs. Refuses a folder that holds an authority."""
        made = cls.__new__(cls)
        build = Path(os.environ.get("POSTERN_BUILD") or _ROOT / "build" / "dev")
        made._program = (Path(bin_folder) if bin_folder else build / "bin") / "postern-certs"
        made.folder = Path(folder)
        made.run("init", "--trust-domain", trust_domain)
        return cls(folder, bin_folder)

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess:
        """Runs postern-certs on the folder. CertificateError with what it printed when it fails, unless `check` is
        false."""
        command = [str(self._program), "--folder", str(self.folder), *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            raise CertificateError((done.stderr or done.stdout).strip())
        return done

    def issuer(self, name: str) -> Leaf:
        """Files of an issuing CA, such as `clients-1`; the key is encrypted under the passphrase."""
        stem = self.folder / "issuers" / name
        return Leaf(stem.with_name(name + ".pem"), stem.with_name(name + ".key"))

    def leaf(self, role: str, name: str) -> Leaf:
        """Where a certificate lies, issued or not."""
        stem = self.folder / role / name
        return Leaf(stem.with_name(name + ".pem"), stem.with_name(name + ".key"))

    def issue(self, role: str, name: str, days: int | None = None, hosts: tuple[str, ...] = (),
              life_seconds: int | None = None) -> Leaf:
        """Issues a certificate with a new key, replacing one of the same role and name.

        `hosts`: DNS names and IP addresses beside `localhost`, only for roles that name hosts.
        """
        words = ["issue", role, name]
        if days is not None:
            words += ["--days", str(days)]
        if life_seconds is not None:
            words += ["--life-seconds", str(life_seconds)]
        for host in hosts:
            words += ["--host", host]
        self.run(*words)
        return self.leaf(role, name)

    def issue_many(self, role: str, names: list[str], days: int | None = None) -> list[Leaf]:
        """As `issue` for each name."""
        if names:
            self.run("issue", role, *names, *(["--days", str(days)] if days is not None else []))
        return [self.leaf(role, name) for name in names]

    def issued(self) -> list[tuple[str, str, Leaf]]:
        """Role, name and files of everything that lies in the folder."""
        found = []
        for role in _PROFILES:
            for pem in sorted((self.folder / role).glob("*.pem")):
                found.append((role, pem.stem, Leaf(pem, pem.with_suffix(".key"))))
        return found
