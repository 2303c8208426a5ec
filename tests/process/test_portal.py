"""postern-portal with the whole system behind it: sessions over restarts and portals, rights, what a stop and an outage look like."""

import unittest

from portal_support import PASSWORD, PortalClient, make_user, portal_port
from support import Process, ProcessTest, wait_until


class Portal(ProcessTest):
    options = {"clients": ["acme", "globex"], "workers": 1, "portals": 2}

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        try:
            make_user(cls.stack, "ada@example.org", "Ada", "admin")
            make_user(cls.stack, "bob@example.org", "Bob", clients=("acme",))
        except BaseException:
            cls.tearDownClass()
            raise

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self.ensure_running)

    def browser(self, email: str | None = None, portal: str = "portal-1") -> PortalClient:
        """A new browser, signed in as a user when one is named."""
        browser = PortalClient(self.stack, portal_port(self.stack, portal))
        if email is not None:
            self.assertEqual(browser.sign_in(email).status, 303)
        return browser

    def test_a_message_is_found_and_read(self):
        message_id = self.client("acme").send("for the portal").json["id"]
        browser = self.browser("bob@example.org")
        wait_until(lambda: message_id in browser.get("/messages?state=delivered").body, 15, "the message in the list")
        page = browser.get(f"/messages/{message_id}")
        self.assertEqual(page.status, 200)
        self.assertIn("for the portal", page.body)
        self.assertIn("+14155550123", page.body)
        rows = self.stack.sql(f"SELECT actor FROM audit_log WHERE target = 'message/{message_id}'")
        self.assertEqual(rows, [["user/bob@example.org"]], "the reading is in the audit log")

    def test_another_clients_message_is_not_there(self):
        message_id = self.client("globex").send("not for acme").json["id"]
        admin, user = self.browser("ada@example.org"), self.browser("bob@example.org")
        wait_until(lambda: admin.get(f"/messages/{message_id}").status == 200, 15, "the message for the administrator")
        self.assertEqual(user.get(f"/messages/{message_id}").status, 404)
        self.assertNotIn(message_id, user.get("/messages").body)
        self.assertNotIn("not for acme", user.get("/messages?client=globex").body)

    def test_sessions_live_in_the_browser(self):
        browser = self.browser("bob@example.org")
        self.stack.programs["portal-1"].restart()
        self.assertEqual(browser.get("/messages").status, 200)
        other = PortalClient(self.stack, portal_port(self.stack, "portal-2"), dict(browser.cookies))
        self.assertEqual(other.get("/messages").status, 200)
        other.get("/profile")
        self.assertEqual(other.post("/logout").location, "/login?done=signed-out")
        self.assertEqual(browser.get("/messages").status, 303, "signed out at both")

    def test_a_killed_portal_leaves_nothing_behind(self):
        browser = self.browser("bob@example.org")
        self.stack.programs["portal-1"].kill()
        self.stack.programs["portal-1"].start()
        self.assertEqual(browser.get("/dashboard").status, 200)

    def test_a_server_that_is_away_is_no_error_of_the_user(self):
        browser = self.browser("bob@example.org")
        server = self.stack.programs["server-1"]
        server.stop()
        page = browser.get("/messages?state=dead")
        self.assertEqual(page.status, 503)
        self.assertTrue(page.field("Retry-After"))
        self.assertIn("cannot be reached", page.body)
        self.assertIn(page.field("Request-Id"), page.body)
        self.assertEqual(self.stack.programs["portal-1"].ops("/readyz")[0], 200, "a portal can say so")
        server.start()
        wait_until(lambda: browser.get("/messages?state=dead").status == 200, 15, "the page")

    def test_files_and_settings_that_do_not_fit_are_named(self):
        program = self.stack.programs["portal-2"]
        for key, value, said in (("session.key_file", self.folder / "none", "none"),
                                 ("templates_folder", self.folder, "no templates"),
                                 ("assets_folder", self.folder / "certs", "postern_portal_assets"),
                                 ("mesh.certificate_file", self.stack.authority.leaf("edge", "edge-1").certificate, "portal")):
            program.stop()
            right = program.config[key]
            program.config[key] = value
            try:
                program.start(wait=False)
                wait_until(lambda: not program.process.running(), 15, "the portal to give up")
                self.assertIn(said, program.process.log.read_text())
            finally:
                program.process.wait_exit(5)
                program.config[key] = right
                program.start()

    def test_the_log_holds_no_secret(self):
        browser = self.browser("bob@example.org")
        browser.get("/messages?number=%2B14155550123&client=acme")
        session = browser.cookies["__Host-session"]
        for name in self.stack.portal_names:
            process: Process = self.stack.programs[name].process
            text = process.log.read_text()
            for secret in (PASSWORD, session, browser.token, "14155550123"):
                self.assertNotIn(secret, text)


if __name__ == "__main__":
    unittest.main()
