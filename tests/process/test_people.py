"""Users, statistics and lists by posternctl against a running system."""

import subprocess
import unittest

from support import NUMBER, ProcessTest, wait_until

ADA = "ada@example.org"


class People(ProcessTest):
    options = {"clients": 2, "workers": 1}

    def test_users(self):
        made = self.stack.ctl_json("user", "create", ADA, "--role", "admin", "--name", "Ada")
        self.assertRegex(made["one_time_password"], r"^([a-z2-9]{4}-){4}[a-z2-9]{4}$")
        self.assertTrue(made["user"]["must_change_password"])
        twice = self.stack.ctl("user", "create", ADA, "--role", "admin", check=False)
        self.assertEqual(twice.returncode, 7)

        self.stack.ctl("user", "create", "ann@example.org", "--role", "user", "--client", "client-00")
        self.stack.ctl("user", "link", "ann@example.org", "client-01")
        self.stack.ctl("user", "link", "ann@example.org", "client-00", "--remove")
        listed = {user["email"]: user for user in self.stack.ctl_json("user", "list", "--all")["users"]}
        self.assertEqual(listed["ann@example.org"]["client_ids"], ["client-01"])
        self.assertEqual([user["email"] for user in self.stack.ctl_json("user", "list", "--role", "admin")["users"]], [ADA])

        self.stack.ctl("user", "role", "ann@example.org", "admin")
        self.stack.ctl("user", "disable", "ann@example.org", "--reason", "a test")
        shown = self.stack.ctl_json("user", "show", "ann@example.org")["user"]
        self.assertEqual((shown["role"], shown["state"]), ("USER_ROLE_ADMIN", "USER_STATE_DISABLED"))
        self.stack.ctl("user", "enable", "ann@example.org")
        self.assertEqual(self.stack.ctl("user", "show", "nobody@example.org", check=False).returncode, 4)
        acts = [row["action"] for row in self.stack.ctl_json("audit", "list")["rows"]]
        for action in ("user.create", "user.link", "user.unlink", "user.set_role", "user.disable", "user.enable"):
            self.assertIn(action, acts)

    def test_a_password_comes_from_standard_input(self):
        email = "pat@example.org"
        self.stack.ctl("user", "create", email, "--role", "user")
        command = [str(self.stack.bin / "posternctl"), "--config", str(self.stack.ctl_config), "user", "password", email, "--ask"]

        def ask(password: str) -> subprocess.CompletedProcess:
            return subprocess.run(command, input=password + "\n", capture_output=True, text=True, timeout=30, check=False)

        short = ask("short")
        self.assertEqual(short.returncode, 2, short.stderr)
        self.assertIn("12 characters", short.stderr)
        good = ask("a good long password")
        self.assertEqual(good.returncode, 0, good.stderr)
        self.assertNotIn("a good long password", good.stdout + good.stderr)

    def test_figures_and_lists(self):
        ids = [self.client("client-01").send(f"message {i}").json["id"] for i in range(5)]

        def counted() -> bool:
            stats = self.stack.ctl_json("stats", "--client", "client-01")
            return int(stats["last_hour"]["delivered"]) == 5

        wait_until(counted, 20, "the statistics")
        totals = self.stack.ctl_json("stats", "--clients")["clients"]
        self.assertIn(("client-01", "5"), [(one["client_id"], one["counts"]["accepted"]) for one in totals])
        self.assertIn("latency p99", self.stack.ctl("stats").stdout)
        listed = self.stack.ctl_json("message", "list", "--number", NUMBER, "--client", "client-01")["messages"]
        self.assertEqual([message["id"] for message in listed], sorted(ids, reverse=True))
        self.assertEqual(self.stack.ctl_json("message", "list", "--number", "+420777000000")["messages"], [])

    def test_tail_shows_what_comes(self):
        command = [str(self.stack.bin / "posternctl"), "--config", str(self.stack.ctl_config), "message", "tail", "--client",
                   "client-00", "--count", "2"]
        # What is there already is not shown; the first request has to come before the messages.
        self.client("client-00").send("before")
        wait_until(lambda: self.stack.ctl_json("message", "list", "--client", "client-00")["messages"], 10, "the first")
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as tail:
            shown = ""
            sent = []

            def send_more() -> bool:
                sent.append(self.client("client-00").send("more").json["id"])
                return tail.poll() is not None

            wait_until(send_more, 30, "two messages in the tail")
            shown = tail.stdout.read()
        self.assertEqual(tail.returncode, 0)
        self.assertEqual(len([i for i in sent if i in shown]), 2)


if __name__ == "__main__":
    unittest.main()
