"""What SIGHUP changes in running programs."""

import os
import signal
import unittest

from support import ProcessTest, wait_until, write_yaml


class Reload(ProcessTest):
    options = {"clients": 1, "workers": 1, "portals": 1}

    def hang_up(self, name: str, changes: dict) -> str:
        """Changes the program's configuration, and gives what it logs about that."""
        program = self.stack.programs[name]
        write_yaml(program.folder / f"{program.kind}.yaml", program.config | changes)
        before = len(program.process.log.read_text(errors="replace"))
        os.kill(program.process.pid, signal.SIGHUP)

        def said() -> str:
            return program.process.log.read_text(errors="replace")[before:]

        wait_until(lambda: " configuration_" in said(), 5, f"{name} to read its configuration")
        return said()

    def test_every_program_takes_another_log_level(self):
        for name in self.stack.programs:
            self.assertIn("configuration_taken", self.hang_up(name, {"log.level": "debug"}))
            self.assertIn("configuration_not_taken", self.hang_up(name, {"log.level": "shrill"}))
            self.assertIn("configuration_taken", self.hang_up(name, {"log.level": "info"}))

    def test_the_edge_takes_other_limits(self):
        client = self.client()
        self.assertNotIn("ratelimit-policy", client.send("before").headers)
        self.hang_up("edge-1", {"clients.messages_per_second": 30, "clients.burst": 60})
        self.assertEqual(client.send("after").headers["ratelimit-policy"], '"rate";q=60;w=2')
        self.assertIn("clients.burst", self.hang_up("edge-1", {"clients.burst": -1}))
        self.assertEqual(client.send("still").headers["ratelimit-policy"], '"rate";q=60;w=2')
        self.hang_up("edge-1", {})
        self.assertNotIn("ratelimit-policy", client.send("again").headers)
        self.assertEqual(client.opened, 1, "on the same connection")


if __name__ == "__main__":
    unittest.main()
