"""Certificates that no profile allows, signed with an issuing CA's real key: for tests of who is refused."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from stack import Authority, Leaf

_FORMAT = "%Y%m%d%H%M%SZ"


@dataclass(frozen=True)
class Wish:
    """What the certificate says. `names`: subjectAltName in OpenSSL's notation."""

    issuer: str
    common_name: str
    names: str
    usage: str = "clientAuth"
    begin: str = "20240101000000Z"
    end: str = "20490101000000Z"
    key: tuple[str, ...] = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")


def craft(authority: Authority, folder: Path, stem: str, wish: Wish) -> Leaf:
    """Makes it, with a new key; the chain holds its issuing CA."""
    folder.mkdir(parents=True, exist_ok=True)
    leaf = Leaf(folder / f"{stem}.pem", folder / f"{stem}.key")
    ca = authority.issuer(wish.issuer)
    (folder / "index.txt").write_text("")
    config = folder / f"{stem}.cnf"
    config.write_text(
        f"[ca]\ndefault_ca = it\n[it]\ndatabase = {folder}/index.txt\nnew_certs_dir = {folder}\nrand_serial = yes\n"
        "default_md = sha256\npolicy = any\nunique_subject = no\nx509_extensions = leaf\n"
        "[any]\norganizationName = optional\ncommonName = supplied\n"
        f"[leaf]\nbasicConstraints = critical,CA:FALSE\nkeyUsage = critical,digitalSignature\n"
        f"extendedKeyUsage = {wish.usage}\nsubjectAltName = {wish.names}\n"
        "[req]\ndistinguished_name = any\n")
    request = folder / f"{stem}.csr"
    for command in (
            ["openssl", "genpkey", *wish.key, "-out", leaf.key],
            ["openssl", "req", "-new", "-config", config, "-key", leaf.key,
             "-subj", f"/O={authority.trust_domain}/CN={wish.common_name}", "-out", request],
            ["openssl", "ca", "-batch", "-notext", "-config", config, "-in", request, "-out", leaf.certificate,
             "-cert", ca.certificate, "-keyfile", ca.key, "-passin", f"file:{authority.passphrase}",
             "-startdate", wish.begin, "-enddate", wish.end]):
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, command[:3]))}: {done.stderr.strip()[-400:]}")
    leaf.key.chmod(0o600)
    with leaf.certificate.open("a", encoding="ascii") as chain:
        chain.write(ca.certificate.read_text(encoding="ascii"))
    return leaf
