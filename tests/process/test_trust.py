"""Trust at work: revocations reach open connections, certificates renew themselves, what is too old is refused."""

import http.client
import ssl
import subprocess
import time
import unittest
import urllib.request
from pathlib import Path

from support import Client, Leaf, Load, ProcessTest, Stack, raw_connection, read_answer, wait_until


def issue_client(stack: Stack, folder: Path, name: str) -> Leaf:
    """A client and its certificate, known to the edge."""
    stem = folder / name
    stack.ctl("cert", "issue", "client", name, "--domain", "localhost", "--out", str(stem))
    leaf = Leaf(stem.with_name(name + ".pem"), stem.with_name(name + ".key"))
    wait_until(lambda: answers(stack, leaf), 10, "the edge to know the client")
    return leaf


def answers(stack: Stack, leaf: Leaf) -> bool:
    """Whether the edge lets this certificate in on a new connection."""
    client = Client(stack, leaf)
    try:
        return client.get("/api/v1/health").status > 0
    except (OSError, http.client.HTTPException):
        return False
    finally:
        client.close()


def serial_of(leaf: Leaf) -> str:
    """The serial number in a certificate file."""
    done = subprocess.run(["openssl", "x509", "-in", leaf.certificate, "-noout", "-serial"], capture_output=True, text=True,
                          check=True)
    return done.stdout.strip().partition("=")[2].lower()


class Revocation(ProcessTest):
    options = {"clients": 1, "workers": 1}

    def ended(self, connection: ssl.SSLSocket) -> bool:
        connection.settimeout(0.1)
        try:
            return connection.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True

    def test_an_open_connection_is_cut_and_others_go_on(self):
        victim = issue_client(self.stack, self.folder, "victim")
        open_one = raw_connection(self.stack, victim)
        self.addCleanup(open_one.close)
        open_one.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(read_answer(open_one).status, 200)
        with Load(self.stack, threads=2) as load:
            self.stack.ctl("cert", "revoke", str(victim.certificate), "--reason", "key-compromise")
            wait_until(lambda: self.ended(open_one), 5, "the open connection to be cut")
            self.assertFalse(answers(self.stack, victim))
            load.wait_for(20)
        self.assertEqual((load.refused, load.unanswered), ([], 0))
        self.assert_delivered(load.accepted)
        edge = self.stack.programs["edge-1"]
        self.assertGreater(edge.metric("postern_trust_revision"), 0)

    def test_a_component_is_cut_and_kept_out(self):
        self.stack.ctl("cert", "issue", "operator", "mallory", "--out", str(self.folder / "mallory"))
        config = self.folder / "mallory.yaml"
        text = self.stack.ctl_config.read_text()
        own = self.stack.authority.leaf("operator", "local")
        config.write_text(text.replace(str(own.certificate), str(self.folder / "mallory.pem")).replace(
            str(own.key), str(self.folder / "mallory.key")))

        def lists() -> bool:
            command = [str(self.stack.bin / "posternctl"), "--config", str(config), "client", "list"]
            return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0

        self.assertTrue(lists())
        self.stack.ctl("cert", "revoke", str(self.folder / "mallory.pem"))
        wait_until(lambda: not lists(), 5, "the server to refuse the operator")
        wait_until(lambda: self.stack.ctl("client", "list", check=False).returncode == 0, 10, "another operator to be served")

    def test_an_edge_that_starts_without_the_server_knows_what_was_revoked(self):
        victim = issue_client(self.stack, self.folder, "gone")
        kept = self.folder / "clients.kept"
        cache = Path(self.stack.programs["edge-1"].config["directory.cache_file"])
        kept.write_bytes(cache.read_bytes())
        self.stack.ctl("cert", "revoke", str(victim.certificate))
        wait_until(lambda: not answers(self.stack, victim), 5, "the edge to refuse the client")
        server, edge = self.stack.programs["server-1"], self.stack.programs["edge-1"]
        self.addCleanup(self.ensure_running)
        edge.stop()
        server.stop()
        # The directory of clients as a backup would have it: it still names the certificate.
        cache.write_bytes(kept.read_bytes())
        edge.start(wait=False)
        wait_until(lambda: answers(self.stack, self.stack.clients["client-00"]), 15, "the edge to let others in")
        self.assertFalse(answers(self.stack, victim))
        self.assertGreater(edge.metric("postern_peer_rejections_total", 'reason="revoked"'), 0)

    def test_the_crl_is_there_for_others_to_fetch(self):
        server = self.stack.programs["server-1"]
        victim = issue_client(self.stack, self.folder, "listed")
        self.stack.ctl("cert", "revoke", str(victim.certificate))
        serial = serial_of(victim)

        def listed() -> bool:
            url = f"http://127.0.0.1:{server.ops_port}/crl/clients-1.crl"
            with urllib.request.urlopen(url, timeout=5) as answer:
                self.assertEqual(answer.headers["Content-Type"], "application/pkix-crl")
                der = answer.read()
            done = subprocess.run(["openssl", "crl", "-inform", "DER", "-noout", "-text"], input=der, capture_output=True,
                                  check=True)
            return serial.upper() in done.stdout.decode()

        wait_until(listed, 5, "the CRL to hold the certificate")
        self.assertEqual(server.ops("/crl/clients-7.crl")[0], 404)


class FailClosed(ProcessTest):
    """CRLs that live for 10 s, and no grace."""

    options = {"clients": 1, "workers": 1,
               "overrides": {"server": {"ca.crl_life_ms": 10_000}, "edge": {"trust.grace_ms": 0}}}

    def test_an_edge_that_hears_nothing_lets_nobody_in_until_it_does(self):
        leaf = self.stack.clients["client-00"]
        edge, server = self.stack.programs["edge-1"], self.stack.programs["server-1"]
        self.addCleanup(self.ensure_running)
        self.assertTrue(answers(self.stack, leaf))
        server.stop()
        wait_until(lambda: not answers(self.stack, leaf), 80, "the edge to refuse everybody")
        wait_until(lambda: edge.metric("postern_trust_fail_closed") > 0, 5, "the metric")
        self.assertIn("no fresh CRL of clients-1", edge.ops("/readyz?verbose")[1])
        server.start()
        wait_until(lambda: answers(self.stack, leaf), 20, "the edge to let clients in again")
        wait_until(edge.ready, 10, "the edge to be ready")


class Renewal(ProcessTest):
    """Components whose certificates live for 30 s."""

    options = {"clients": 1, "workers": 1, "component_life": 30}

    def leaves(self) -> list[Leaf]:
        return [self.stack.authority.leaf(*one) for one in self.stack.components()]

    def test_1_certificates_renew_themselves_under_load_without_a_failed_request(self):
        before = {str(leaf.certificate): serial_of(leaf) for leaf in self.leaves()}
        keys = {str(leaf.key): leaf.key.read_text() for leaf in self.leaves()}
        with Load(self.stack, threads=2) as load:
            wait_until(lambda: all(serial_of(leaf) != before[str(leaf.certificate)] for leaf in self.leaves()), 45,
                       "every component to renew its certificate")
            newcomer = Client(self.stack, self.stack.clients["client-00"])
            self.addCleanup(newcomer.close)
            leaf = self.stack.authority.leaf("listen", "edge-1")

            def shown() -> bool:
                pem = ssl.get_server_certificate(("127.0.0.1", self.stack.ports["edge"]))
                done = subprocess.run(["openssl", "x509", "-noout", "-serial"], input=pem, capture_output=True, text=True,
                                      check=True)
                return done.stdout.strip().partition("=")[2].lower() == serial_of(leaf)

            wait_until(shown, 5, "clients to see the edge's new certificate")
            # Past the end of what they started with.
            end = time.monotonic() + 12
            wait_until(lambda: time.monotonic() > end, 20, "the first certificates to end")
            load.wait_for(20)
        self.assertEqual((load.refused, load.unanswered), ([], 0))
        self.assert_delivered(load.accepted)
        self.assertTrue(all(Path(path).read_text() != text for path, text in keys.items()), "keys are new, too")
        for program in self.stack.programs.values():
            self.assertGreater(program.metric("postern_tls_certificate_renewals_total"), 0, program.name)
            self.assertGreater(program.metric("postern_tls_certificate_not_after_timestamp_seconds", 'usage="mesh"'),
                               time.time(), program.name)

    def test_2_a_component_that_was_off_for_too_long_is_enrolled_by_one_command(self):
        worker = self.stack.programs["worker-1"]
        leaf = self.stack.authority.leaf("worker", "worker-1")
        self.addCleanup(self.ensure_running)
        worker.stop()

        def expired() -> bool:
            return subprocess.run(["openssl", "x509", "-in", leaf.certificate, "-noout", "-checkend", "0"],
                                  capture_output=True, check=False).returncode != 0

        wait_until(expired, 40, "the worker's certificate to end")
        worker.start(wait=False)
        wait_until(lambda: "expired at" in worker.ops("/readyz?verbose")[1], 10, "the worker to say what is wrong")
        self.assertFalse(worker.ready())
        self.stack.enrol("worker", "worker-1")
        worker.wait_ready(20)
        answer = self.client().send("after the enrolment")
        self.assertEqual(answer.status, 202)
        self.assert_delivered({answer.json["id"]: ""})


if __name__ == "__main__":
    unittest.main()
