"""The tools that measure and attack the certificates work: tests/security/tls and tests/load/issue, in small."""

import json
import subprocess
import unittest
from pathlib import Path

from support import BUILD

TESTS = Path(__file__).resolve().parents[1]


def run(*words: str) -> dict:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=200, check=False)
    if not done.stdout:
        raise AssertionError(done.stderr[-2000:])
    return json.loads(done.stdout)


class CertificateTools(unittest.TestCase):
    def test_handshake_matrix(self):
        result = run(TESTS / "security" / "tls", "--json", "--no-scan", "--build", BUILD)
        self.assertEqual(result["failures"], [])
        self.assertGreater(result["cases"], 20)

    def test_issue_benchmark(self):
        result = run(TESTS / "load" / "issue", "--json", "--seconds", "1", "--revoked", "1000", "--build", BUILD)
        self.assertGreater(result["certificates_per_s"], 0)
        self.assertEqual(result["lookup_hits"], 500_000)


if __name__ == "__main__":
    unittest.main()
