"""SIGTERM to each program under load: it ends with 0, in time, and nothing accepted is lost."""

import subprocess
import unittest

from support import Load, ProcessTest


class Shutdown(ProcessTest):
    options = {"clients": 1, "workers": 1, "overrides": {"worker": {"retry_interval_ms": 1000}}}

    def stop_under_load(self, name: str) -> Load:
        """Stops the program under load and starts it again."""
        self.addCleanup(self.ensure_running)
        program = self.stack.programs[name]
        with Load(self.stack) as load:
            load.wait_for(50)
            self.assertEqual(program.stop(15), 0, program.process.tail())
            program.start()
            load.wait_for(50)
        return load

    def test_edge(self):
        load = self.stop_under_load("edge-1")
        # Every request that the edge had taken was answered; 503 is for those that came while it drained.
        self.assertLessEqual(set(load.refused), {503})
        self.assert_delivered(load.accepted, unknown=load.unanswered)

    def test_worker(self):
        load = self.stop_under_load("worker-1")
        self.assertEqual((load.refused, load.unanswered), ([], 0))
        self.assert_delivered(load.accepted)

    def test_server(self):
        load = self.stop_under_load("server-1")
        self.assertEqual((load.refused, load.unanswered), ([], 0))
        self.assert_delivered(load.accepted)

    def test_everything_and_everything_again(self):
        with Load(self.stack) as load:
            load.wait_for(100)
            codes = self.stack.stop()
        self.assertEqual(set(codes.values()), {0}, codes)
        self.stack.start()
        self.assert_delivered(load.accepted, unknown=load.unanswered + len(load.refused))


class BadStart(ProcessTest):
    """What a program says when it cannot start."""

    options = {"clients": 1, "workers": 1}

    def setUp(self) -> None:
        pass  # No messages here.

    def test_wrong_configuration_is_refused_by_line(self):
        for name, program in self.stack.programs.items():
            with self.subTest(name):
                path = program.folder / "wrong.yaml"
                good = (program.folder / f"{program.kind}.yaml").read_text()
                path.write_text(good + "nonsense: 1\n")
                status, text = self.run_program(program, "--config", str(path))
                self.assertEqual(status, 1, text)
                self.assertIn(f"wrong.yaml:{len(good.splitlines()) + 1}", text)
                self.assertIn("nonsense", text)

    def test_wrong_usage_is_2(self):
        for name, program in self.stack.programs.items():
            with self.subTest(name):
                self.assertEqual(self.run_program(program, "--nonsense")[0], 2)

    def test_taken_port_is_a_clear_error(self):
        for name, program in self.stack.programs.items():
            with self.subTest(name):
                status, text = self.run_program(program, "--config", str(program.folder / f"{program.kind}.yaml"))
                self.assertEqual(status, 1, text)
                self.assertIn("in use", text)

    def test_key_that_others_can_read_is_refused(self):
        key = self.stack.authority.leaf("worker", "worker-1").key
        self.addCleanup(key.chmod, 0o600)
        key.chmod(0o644)
        program = self.stack.programs["worker-1"]
        status, text = self.run_program(program, "--config", str(program.folder / "worker.yaml"))
        self.assertEqual(status, 1, text)
        self.assertIn("600", text)

    def run_program(self, program, *words: str) -> tuple[int, str]:
        done = subprocess.run([program.process.command[0], *words], capture_output=True, text=True, timeout=30,
                              check=False)
        return done.returncode, done.stdout + done.stderr


if __name__ == "__main__":
    unittest.main()
