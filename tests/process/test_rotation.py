"""New issuing CAs are phased in and the old ones out, under load."""

import ssl
import unittest

from support import Leaf, Load, ProcessTest, answers, wait_until


class Rotation(ProcessTest):
    """Both issuing CAs change under load; the old one of the mesh is retired at the end."""

    options = {"clients": 1, "workers": 1}

    def rotate(self, kind: str) -> None:
        self.assertEqual(self.stack.authority.run("authority", "new", kind).stdout.strip(), f"{kind}-2")
        self.stack.ctl("ca", "rotate", f"{kind}-2", "--step", "introduce")
        bundle = self.stack.authority.folder / f"{kind}_ca.pem"
        wait_until(lambda: bundle.read_text().count("BEGIN") == 2, 5, "both to be trusted")
        self.stack.ctl("ca", "rotate", f"{kind}-2", "--step", "activate")

    def issuer(self, leaf: Leaf) -> str:
        return self.stack.ctl_json("cert", "show", str(leaf.certificate))["certificate"]["issuer"]

    def shown(self, port: str) -> str:
        """What stands at a port: the certificate, PEM."""
        return ssl.get_server_certificate(("127.0.0.1", self.stack.ports[port])).strip()

    def test_both_issuing_cas_change_under_load_without_a_failed_request(self):
        authority = self.stack.authority
        with Load(self.stack, threads=2) as load:
            self.rotate("services")
            # Redis and MariaDB must trust the new CA before anybody shows a certificate of it.
            self.stack.renew_stores()
            load.wait_for(20)
            for leaf in [authority.leaf(*one) for one in self.stack.components()] + [authority.leaf("operator", "local")]:
                self.stack.ctl("cert", "renew", str(leaf.certificate))
                self.assertEqual(self.issuer(leaf), "services-2")
                load.wait_for(20)
            for port, leaf in (("server", authority.leaf("server", "server-1")), ("edge", authority.leaf("listen", "edge-1"))):
                wait_until(lambda: leaf.certificate.read_text().startswith(self.shown(port)), 10, f"the {port}'s new certificate")
            self.rotate("clients")
            stem = self.folder / "newcomer"
            self.stack.ctl("cert", "issue", "client", "newcomer", "--domain", "localhost", "--out", str(stem))
            newcomer = Leaf(stem.with_suffix(".pem"), stem.with_suffix(".key"))
            self.assertEqual(self.issuer(newcomer), "clients-2")
            wait_until(lambda: answers(self.stack, newcomer), 15, "the edge to trust the new CA of the clients")
            load.wait_for(50)
            early = self.stack.ctl("ca", "rotate", "services-1", "--step", "retire", check=False)
            self.assertEqual(early.returncode, 1)
            self.assertIn("are still good", early.stderr)
            self.stack.ctl("ca", "rotate", "services-1", "--step", "retire", "--force")
            wait_until(lambda: (authority.folder / "services_ca.pem").read_text().count("BEGIN") == 1, 5, "one CA to be left")
            load.wait_for(200)
        self.assertEqual((load.refused, load.unanswered), ([], 0))
        self.assert_delivered(load.accepted)
        self.stack.ctl("client", "list")


if __name__ == "__main__":
    unittest.main()
