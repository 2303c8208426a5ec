"""The certificate authority from the command line: with a server, without one, and the guide's commands."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from support import ROOT, Authority, Leaf, ProcessTest, answers, wait_until


class WithServer(ProcessTest):
    options = {"clients": 1, "workers": 1}

    def issued(self, name: str, *words: str) -> Leaf:
        stem = self.folder / name
        self.stack.ctl("cert", "issue", "client", name, "--domain", "localhost", "--out", str(stem), *words)
        return Leaf(stem.with_name(name + ".pem"), stem.with_name(name + ".key"))

    def answers(self, leaf: Leaf) -> bool:
        return answers(self.stack, leaf)

    def test_a_client_from_its_first_certificate_to_its_last(self):
        leaf = self.issued("acme")
        self.assertEqual(leaf.key.stat().st_mode & 0o777, 0o600)
        wait_until(lambda: self.answers(leaf), 10, "the edge to know the client")
        self.assertEqual(self.stack.ctl("cert", "check", str(leaf.certificate), check=False).returncode, 0)
        soon = self.stack.ctl("cert", "check", str(leaf.certificate), "--within", "400", check=False)
        self.assertEqual(soon.returncode, 1)

        first = self.stack.ctl_json("cert", "show", str(leaf.certificate))["certificate"]
        self.assertIn("Not due before", self.stack.ctl("cert", "renew", str(leaf.certificate), "--if-due").stderr)
        self.assertEqual(self.stack.ctl_json("cert", "show", str(leaf.certificate))["certificate"], first)
        self.stack.ctl("cert", "renew", str(leaf.certificate))
        second = self.stack.ctl_json("cert", "show", str(leaf.certificate))["certificate"]
        self.assertEqual(second["renewed_from"], first["serial"])
        wait_until(lambda: self.answers(leaf), 10, "the edge to know the new certificate")

        revoked = self.stack.ctl_json("cert", "revoke", first["serial"], "--reason", "key-compromise", "--lineage")
        self.assertEqual({one["serial"] for one in revoked["revoked"]}, {first["serial"], second["serial"]})
        wait_until(lambda: not self.answers(leaf), 5, "the edge to refuse the client")
        bad = self.stack.ctl("cert", "check", str(leaf.certificate), check=False)
        self.assertEqual((bad.returncode, "revoked at" in bad.stdout), (2, True), bad.stdout)
        states = [one["state"] for one in self.stack.ctl_json("cert", "list", "--name", "acme")["certificates"]]
        self.assertEqual(states, ["CERTIFICATE_STATE_REVOKED"] * 2)

    def test_pkcs12_and_its_password_file(self):
        password = self.folder / "password"
        password.touch(mode=0o600)
        password.write_text("long enough\n")
        target = self.folder / "globex.p12"
        self.stack.ctl("cert", "issue", "client", "globex", "--domain", "localhost", "--pkcs12", str(target),
                       "--password-file", str(password))
        done = subprocess.run(["openssl", "pkcs12", "-in", target, "-passin", f"file:{password}", "-nodes"],
                              capture_output=True, text=True, check=False)
        self.assertIn("PRIVATE KEY", done.stdout)
        self.assertIn("CN = globex", done.stdout + done.stderr)

    def test_a_token_enrols_once(self):
        token = self.folder / "token"
        self.stack.ctl("cert", "token", "worker", "worker-9", "--token-file", str(token))
        words = ("cert", "enrol", "worker-9", "--token-file", str(token), "--out", str(self.folder / "worker-9"))
        self.stack.ctl(*words)
        again = self.stack.ctl(*words, check=False)
        self.assertEqual(again.returncode, 5)
        self.assertIn("was used at", again.stderr)

    def test_a_crl_is_fetched_and_openssl_understands_it(self):
        leaf = self.issued("initech")
        self.stack.ctl("cert", "revoke", str(leaf.certificate))
        serial = self.stack.ctl_json("cert", "show", str(leaf.certificate))["certificate"]["serial"]
        crl = self.folder / "clients-1.crl"

        def listed() -> bool:
            self.stack.ctl("ca", "crl", "clients-1", "--out", str(crl))
            done = subprocess.run(["openssl", "crl", "-inform", "DER", "-in", crl, "-noout", "-text", "-verify",
                                   "-CAfile", self.stack.authority.issuer("clients-1").certificate],
                                  capture_output=True, text=True, check=False)
            self.assertIn("verify OK", done.stderr + done.stdout)
            return serial.upper() in done.stdout

        wait_until(listed, 5, "the CRL to hold the certificate")

    def test_what_is_revoked_by_hand_is_revoked_at_the_server(self):
        leaf = self.issued("umbrella")
        self.stack.authority.run("revoke", str(leaf.certificate))
        wait_until(lambda: self.stack.ctl("cert", "check", str(leaf.certificate), check=False).returncode == 2, 10,
                   "the server to take in the CRL of its folder")


class Guide(ProcessTest):
    options = {"clients": 1, "workers": 1}

    def test_every_command_of_the_guide_works(self):
        guide = (ROOT / "docs" / "certificates.md").read_text(encoding="utf-8")
        script = "\n".join(re.findall(r"^```sh\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL))
        script = script.replace("/etc/postern/ca", str(self.stack.authority.folder))
        folder = self.folder / "guide"
        folder.mkdir()
        environment = os.environ | {"PATH": f"{self.stack.bin}:{os.environ['PATH']}",
                                    "POSTERNCTL_CONFIG": str(self.stack.ctl_config)}
        done = subprocess.run(["bash", "-euxo", "pipefail", "-c", script], cwd=folder, env=environment,
                              capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stdout[-1500:] + done.stderr[-2500:])
        self.assertIn("peer spiffe://postern.example.org/worker/worker-1", done.stdout)


class WithoutServer(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="postern-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.authority = Authority.create(self.folder / "ca", "example.org")

    def code(self, *words: str) -> int:
        return self.authority.run(*words, check=False).returncode

    def test_life_of_a_certificate(self):
        leaf = self.authority.issue("edge", "edge-1", hosts=("edge.example.org",))
        self.assertEqual(self.code("verify", str(leaf.certificate), "--within", "1"), 0)
        self.assertEqual(self.code("verify", str(leaf.certificate), "--within", "30"), 11)
        before = leaf.certificate.read_bytes()
        self.authority.run("renew", str(leaf.certificate))
        self.assertNotEqual(leaf.certificate.read_bytes(), before)
        old = self.folder / "old.pem"
        old.write_bytes(before)
        self.assertEqual(self.code("revoke", str(old), "--lineage"), 0)
        for file in (old, leaf.certificate):
            self.assertEqual(self.code("verify", str(file)), 12)
        self.assertIn("revoked", self.authority.run("list").stdout)
        self.assertEqual(self.code("renew", str(leaf.certificate)), 1)

    def test_rotation(self):
        old = self.authority.issue("worker", "worker-1")
        self.assertEqual(self.authority.run("authority", "new", "services").stdout.strip(), "services-2")
        self.authority.run("authority", "activate", "services-2")
        new = self.authority.issue("worker", "worker-2")
        for leaf in (old, new):
            self.assertEqual(self.code("verify", str(leaf.certificate), "--within", "1"), 0)
        self.authority.run("authority", "retire", "services-1")
        self.assertEqual(self.code("verify", str(old.certificate)), 12)
        self.assertEqual(self.code("verify", str(new.certificate), "--within", "1"), 0)

    def test_what_is_wrong_is_said(self):
        broken = self.folder / "broken.csr"
        broken.write_text("hello")
        done = self.authority.run("issue", "edge", "edge-1", "--csr", str(broken), check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("neither PEM nor DER", done.stderr)
        os.chmod(self.authority.passphrase, 0o644)
        self.assertIn("chmod 600", self.authority.run("crl", check=False).stderr)

    def test_handshakes_of_both_directions(self):
        server = self.authority.issue("edge", "edge-1")
        worker = self.authority.issue("worker", "worker-1")
        client = self.authority.issue("client", "acme")
        trust = ["--trust", str(self.authority.services_ca)]
        files = ["--certificate", str(server.certificate), "--key", str(server.key), *trust]
        program = [str(self.authority._program), "handshake", "listen", "--connections", "2", *files]
        with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as listener:
            try:
                target = listener.stdout.readline().split()[-1]
                for leaf, wanted in ((worker, "accepted"), (client, "refused")):
                    done = self.authority.run(
                        "handshake", "connect", target, "--certificate", str(leaf.certificate), "--key",
                        str(leaf.key), *trust, "--expect", wanted, check=False)
                    self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                seen = listener.stdout.read()
            finally:
                listener.kill()
        self.assertIn("peer spiffe://example.org/worker/worker-1", seen)
        self.assertIn("refused:", seen)


if __name__ == "__main__":
    unittest.main()
