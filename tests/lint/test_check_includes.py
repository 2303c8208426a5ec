#!/usr/bin/env python3
"""The include check finds what goes the wrong way."""

import unittest

from check_includes import check_text


class CheckIncludesTest(unittest.TestCase):
    def assert_fault(self, path: str, include: str, reason: str) -> None:
        faults = check_text(path, f"#pragma once\n\n#include {include}\n")
        self.assertEqual(len(faults), 1, faults)
        self.assertIn(f"{path}:3: ", faults[0])
        self.assertIn(reason, faults[0])

    def assert_fine(self, path: str, include: str) -> None:
        self.assertEqual(check_text(path, f"#include {include}\n"), [])

    def test_downwards_is_fine(self) -> None:
        self.assert_fine("services/common/db/a.cc", '"services/common/base/uuid.h"')
        self.assert_fine("services/keys/a.cc", '"postern/v1/key_service.grpc.pb.h"')
        self.assert_fine("services/server/main.cc", '"services/keys/key_service.h"')
        self.assert_fine("edge_proxy/a.h", '"services/common/http/server.h"')
        self.assert_fine("tests/unit/x.cc", '"edge_proxy/a.h"')
        self.assert_fine("worker/a.cc", '"absl/status/status.h"')
        self.assert_fine("worker/a.cc", "<vector>")

    def test_upwards_and_sideways_is_not(self) -> None:
        self.assert_fault("services/common/base/a.cc", '"services/common/log/log.h"', "may not include")
        self.assert_fault("services/common/http/a.cc", '"postern/v1/envelope.pb.h"', "may not include")
        self.assert_fault("services/common/db/a.cc", '"services/keys/a.h"', "may not include")
        self.assert_fault("services/keys/a.cc", '"services/clients/a.h"', "may not include")
        self.assert_fault("worker/a.cc", '"edge_proxy/a.h"', "may not include")
        self.assert_fault("edge_proxy/a.cc", '"services/server/a.h"', "may not include")
        self.assert_fault("services/ctl/a.cc", '"tests/support/a.h"', "may not include")

    def test_form(self) -> None:
        self.assert_fault("worker/a.cc", '"limits.h"', "begin at the root")
        self.assert_fault("worker/a.cc", "<services/common/base/uuid.h>", "stand in quotes")

    def test_a_new_folder_needs_a_row(self) -> None:
        self.assertIn("not in the table", check_text("services/new_domain/a.cc", "")[0])

    def test_heavy_headers(self) -> None:
        self.assert_fault("edge_proxy/a.cc", "<boost/asio/ssl/stream.hpp>", "ssl::stream")
        self.assert_fine("services/common/http/session.cc", "<boost/asio/ssl/stream.hpp>")


if __name__ == "__main__":
    unittest.main()
