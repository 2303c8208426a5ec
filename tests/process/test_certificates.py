"""Who may speak to whom: every certificate that must be refused, on the client port and on the gRPC port."""

import http.client
import socket
import ssl
import subprocess
import unittest

from support import Authority, Client, Leaf, ProcessTest, expired_certificate, wait_until


class Certificates(ProcessTest):
    options = {"clients": 2, "workers": 1}

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        try:
            cls.authority = cls.stack.authority
            cls.foreign = Authority.create(cls.folder / "foreign", cls.stack.trust_domain)
            cls.expired = expired_certificate(cls.authority, "clients_ca", cls.authority.issue("client", "late"))
            # Registered, so that nothing but its end speaks against it.
            cls.stack.ctl("client", "create", "late", "--domain", "localhost", "--sha256", cls.expired.sha256)
        except BaseException:
            cls.tearDownClass()
            raise

    def answer(self, leaf: Leaf | None) -> int | None:
        """Status of a request with this certificate; None when the connection was refused."""
        client = Client(self.stack, leaf)
        try:
            return client.get("/api/v1/health").status
        except (ssl.SSLError, ConnectionError, http.client.HTTPException):
            return None
        finally:
            client.close()

    def test_stores_renew_their_certificates_without_a_restart(self):
        shown = {name: self.shown(self.stack.ports[name], name) for name in ("redis", "mariadb")}
        pids = self.stack.redis.process.pid, self.stack.mariadb.process.pid
        client = self.client()
        self.assertEqual(client.send("renewal").status, 202)
        self.stack.renew_stores()
        self.assertEqual(client.send("renewal").status, 202)
        for name, before in shown.items():
            self.assertNotEqual(self.shown(self.stack.ports[name], name), before, name)
        self.assertEqual((self.stack.redis.process.pid, self.stack.mariadb.process.pid), pids)
        # Who connects anew meets the new one.
        self.stack.redis.command("client", "kill", "type", "normal")
        wait_until(lambda: client.send("renewal").status == 202, 10, "the edge's new connection to Redis")

    def shown(self, port: int, name: str) -> str:
        """Fingerprint of the certificate that a store shows."""
        starttls = ["-starttls", "mysql"] if name == "mariadb" else []
        leaf = self.authority.leaf("operator", "local")
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *starttls, "-cert", str(leaf.certificate),
                               "-key", str(leaf.key)], input="", capture_output=True, text=True, check=False, timeout=20)
        begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
        self.assertIn(begin, done.stdout, done.stderr)
        return done.stdout[done.stdout.index(begin):done.stdout.index(end)]

    def test_registered_client_is_welcome(self):
        self.assertEqual(self.answer(self.stack.clients["client-00"]), 200)

    def test_edge_refuses(self):
        unknown = self.authority.issue("client", "stranger")
        cases = {
            "no certificate": None,
            "the same names from another CA": self.foreign.issue("client", "client-00"),
            "expired": self.expired,
            "never registered": unknown,
            "another certificate of a registered client": self.reissued("client-01"),
            "a worker of the mesh": self.authority.leaf("worker", "worker-1"),
            "an operator": self.authority.leaf("operator", "local"),
            "what the edge itself shows": self.authority.leaf("listen", "edge-1"),
        }
        for name, leaf in cases.items():
            with self.subTest(name):
                self.assertIsNone(self.answer(leaf))

    def reissued(self, client_id: str) -> Leaf:
        """A good certificate for the id whose fingerprint is not the registered one; the registered files stay."""
        leaf = self.stack.clients[client_id]
        kept = leaf.certificate.read_bytes(), leaf.key.read_bytes()
        other = self.authority.issue("client", client_id)
        moved = Leaf(self.folder / "other.pem", self.folder / "other.key")
        other.certificate.rename(moved.certificate)
        other.key.rename(moved.key)
        leaf.certificate.write_bytes(kept[0])
        leaf.key.touch(mode=0o600)
        leaf.key.write_bytes(kept[1])
        return moved

    def test_client_registered_later_is_welcome_within_seconds(self):
        leaf = self.authority.issue("client", "newcomer")
        self.assertIsNone(self.answer(leaf))
        self.stack.ctl("client", "create", "newcomer", "--domain", "localhost", "--certificate", str(leaf.certificate))
        wait_until(lambda: self.answer(leaf) == 200, 5, "the edge to learn of the new client")

    def test_client_refuses_an_edge_of_another_authority(self):
        leaf = self.stack.clients["client-00"]
        context = ssl.create_default_context(cafile=str(self.foreign.root_ca))
        context.load_cert_chain(leaf.certificate, leaf.key)
        with self.assertRaises(ssl.SSLCertVerificationError):
            with socket.create_connection(("127.0.0.1", self.stack.ports["edge"]), timeout=5) as plain:
                context.wrap_socket(plain, server_hostname="localhost")

    def speaks_grpc(self, leaf: Leaf | None) -> bool:
        """Whether the gRPC port answers HTTP/2 to this certificate."""
        context = ssl.create_default_context(cafile=str(self.stack.root_ca))
        context.set_alpn_protocols(["h2"])
        if leaf is not None:
            context.load_cert_chain(leaf.certificate, leaf.key)
        try:
            with socket.create_connection(("127.0.0.1", self.stack.ports["server"]), timeout=5) as plain:
                with context.wrap_socket(plain, server_hostname="localhost") as connection:
                    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
                    return len(connection.recv(9)) == 9
        except (ssl.SSLError, ConnectionError):
            return False

    def test_grpc_port_refuses(self):
        self.assertTrue(self.speaks_grpc(self.authority.leaf("operator", "local")))
        cases = {
            "no certificate": None,
            "a client of the edge": self.stack.clients["client-00"],
            "the same names from another CA": self.foreign.issue("operator", "local"),
            "expired": expired_certificate(self.authority, "services_ca", self.authority.issue("operator", "late")),
            "no certificate for clients": self.authority.leaf("store", "redis"),
        }
        for name, leaf in cases.items():
            with self.subTest(name):
                self.assertFalse(self.speaks_grpc(leaf))

    def test_tls_is_never_resumed(self):
        context = ssl.create_default_context(cafile=str(self.stack.root_ca))
        leaf = self.stack.clients["client-00"]
        context.load_cert_chain(leaf.certificate, leaf.key)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context.minimum_version = context.maximum_version = version
            session = None
            for _ in range(2):
                with socket.create_connection(("127.0.0.1", self.stack.ports["edge"]), timeout=5) as plain:
                    with context.wrap_socket(plain, server_hostname="localhost", session=session) as connection:
                        connection.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: a\r\n\r\n")
                        connection.recv(1)
                        self.assertFalse(connection.session_reused, version)
                        session = connection.session


if __name__ == "__main__":
    unittest.main()
