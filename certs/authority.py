"""The development certificate authority: an offline root, two issuing CAs, and leaves by role.

Calls the `openssl` command. Used by `postern-certs` and by `deployment/local`.
"""

import hashlib
import os
import re
import ssl
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
TRUST_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")

ROOT_DAYS = 3650
ISSUER_DAYS = 1825

# `openssl req` insists on a configuration file; everything that matters is given on its command line.
_OPENSSL_CONFIG = "[req]\ndistinguished_name = subject\nprompt = no\n[subject]\n"


class CertificateError(Exception):
    """What is wrong, in one line for people."""


@dataclass(frozen=True)
class Profile:
    """What a role's certificates look like."""

    issuer: str  # File stem of the issuing CA.
    spiffe_role: str  # First path segment of the SPIFFE id.
    usages: str  # Extended key usage.
    days: int  # Life of the certificate.
    hosts: bool  # Whether it names hosts that peers verify.


_BOTH = "serverAuth,clientAuth"
PROFILES = {
    "client": Profile("clients_ca", "client", "clientAuth", 365, False),
    "edge": Profile("services_ca", "edge", _BOTH, 7, True),
    "worker": Profile("services_ca", "worker", _BOTH, 7, True),
    "portal": Profile("services_ca", "portal", _BOTH, 7, True),
    "server": Profile("services_ca", "server", _BOTH, 7, True),
    "operator": Profile("services_ca", "operator", "clientAuth", 30, False),
    # What the edge shows to clients. It cannot be used towards the mesh: no clientAuth.
    "listen": Profile("services_ca", "edge", "serverAuth", 90, True),
    # Redis and MariaDB. No gRPC role has this name, so it opens nothing in the mesh.
    "store": Profile("services_ca", "store", "serverAuth", 365, True),
}


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
    """A folder with a root CA, ServicesCA, ClientsCA and what they issued. Keys have mode 0600.

    `root_ca.pem`          what clients trust to know the edge
    `services_ca.pem`      what the mesh trusts (partial chain)
    `services_anchor.pem`  the same CA, signed by itself: for programs that cannot trust an issuing CA
                           without its root (Redis, MariaDB and its client library)
    `clients_ca.pem`       what the edge trusts to know its clients
    """

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        try:
            self.trust_domain = (self.folder / "trust_domain").read_text(encoding="ascii").strip()
        except FileNotFoundError:
            raise CertificateError(
                f"{self.folder}: no certificate authority there; make one with `postern-certs init`"
            ) from None
        self.root_ca = self.folder / "root_ca.pem"
        self.services_ca = self.folder / "services_ca.pem"
        self.services_anchor = self.folder / "services_anchor.pem"
        self.clients_ca = self.folder / "clients_ca.pem"

    @classmethod
    def create(cls, folder: Path, trust_domain: str) -> "Authority":
        """Makes the three CAs. Refuses a folder that holds an authority."""
        folder = Path(folder)
        if (folder / "root_ca.key").exists():
            raise CertificateError(f"{folder}: holds a certificate authority already")
        if not TRUST_DOMAIN.fullmatch(trust_domain):
            raise CertificateError(f"{trust_domain}: not a trust domain (a host name in lower case)")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / "openssl.cnf").write_text(_OPENSSL_CONFIG, encoding="ascii")
        organisation = f"/O={trust_domain}"
        root = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"]
        issuing = ["basicConstraints=critical,CA:TRUE,pathlen:0", root[1]]
        _request(folder, "root_ca", f"{organisation}/CN=Postern Root CA", ROOT_DAYS, root)
        for stem, name in (("services_ca", "ServicesCA"), ("clients_ca", "ClientsCA")):
            subject = f"{organisation}/CN=Postern {name}"
            _request(folder, stem, subject, ISSUER_DAYS, issuing, issuer=folder / "root_ca")
            if stem == "services_ca":
                _request(folder, stem, subject, ISSUER_DAYS, issuing, out="services_anchor.pem")
        # Last: a folder without it was not finished.
        (folder / "trust_domain").write_text(trust_domain + "\n", encoding="ascii")
        return cls(folder)

    def leaf(self, role: str, name: str) -> Leaf:
        """Where a certificate lies, issued or not."""
        stem = self.folder / role / name
        return Leaf(stem.with_name(name + ".pem"), stem.with_name(name + ".key"))

    def issue(self, role: str, name: str, days: int | None = None, hosts: tuple[str, ...] = ()) -> Leaf:
        """Issues a certificate with a new key, replacing one of the same role and name.

        `hosts`: DNS names beside `localhost`, only for roles that name hosts.
        """
        profile = PROFILES.get(role)
        if profile is None:
            raise CertificateError(f"{role}: not a role; the roles are {', '.join(PROFILES)}")
        if not NAME.fullmatch(name):
            raise CertificateError(f"{name}: a name is 1 to 64 of a-z 0-9 . _ -, first a letter or digit")
        if hosts and not profile.hosts:
            raise CertificateError(f"a {role} certificate names no hosts")
        names = [f"URI:spiffe://{self.trust_domain}/{profile.spiffe_role}/{name}"]
        if profile.hosts:
            names += ["DNS:localhost", "IP:127.0.0.1"] + [f"DNS:{host}" for host in hosts]
        extensions = [
            "basicConstraints=critical,CA:FALSE",
            "keyUsage=critical,digitalSignature",
            f"extendedKeyUsage={profile.usages}",
            f"subjectAltName={','.join(names)}",
        ]
        (self.folder / role).mkdir(exist_ok=True, mode=0o700)
        issuer = self.folder / profile.issuer
        subject = f"/O={self.trust_domain}/CN={name}"
        _request(self.folder, f"{role}/{name}", subject, days or profile.days, extensions, issuer=issuer)
        leaf = self.leaf(role, name)
        with leaf.certificate.open("a", encoding="ascii") as chain:
            chain.write(issuer.with_suffix(".pem").read_text(encoding="ascii"))
        return leaf

    def issue_many(self, role: str, names: list[str], days: int | None = None) -> list[Leaf]:
        """As `issue` for each name, a few at a time."""
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
            return list(pool.map(lambda name: self.issue(role, name, days), names))

    def issued(self) -> list[tuple[str, str, Leaf]]:
        """Role, name and files of everything that lies in the folder."""
        found = []
        for role in PROFILES:
            for pem in sorted((self.folder / role).glob("*.pem")):
                found.append((role, pem.stem, Leaf(pem, pem.with_suffix(".key"))))
        return found


def _request(
    folder: Path,
    stem: str,
    subject: str,
    days: int,
    extensions: list[str],
    issuer: Path | None = None,
    out: str | None = None,
) -> None:
    """One certificate with one call of openssl: a new key `<stem>.key`, or the one that is there if
    `out` is given; signed by `issuer`, or by itself."""
    key = folder / f"{stem}.key"
    certificate = folder / (out or f"{stem}.pem")
    command = ["openssl", "req", "-x509", "-config", str(folder / "openssl.cnf"), "-sha256"]
    command += ["-subj", subject, "-days", str(days), "-out", str(certificate), "-noenc"]
    if out is None:
        command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-keyout", str(key)]
    else:
        command += ["-new", "-key", str(key)]
    if issuer is not None:
        command += ["-CA", str(issuer) + ".pem", "-CAkey", str(issuer) + ".key"]
        extensions = extensions + ["authorityKeyIdentifier=keyid"]
    for extension in ["subjectKeyIdentifier=hash", *extensions]:
        command += ["-addext", extension]
    if out is None:
        # Created by us, so that the key is never readable by others, whatever the umask.
        key.unlink(missing_ok=True)
        os.close(os.open(key, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise CertificateError(f"openssl could not make {certificate}: {reason[0]}")
    certificate.chmod(0o644)
