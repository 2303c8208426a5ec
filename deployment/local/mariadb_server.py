"""A private MariaDB: the production configuration, with this folder, port, certificates and passwords."""

import hashlib
import os
import pwd
import subprocess
import tempfile
from pathlib import Path

from processes import Process, ProcessError, free_port

CONFIG = Path(__file__).resolve().parents[1] / "config"
SCHEMA = "postern"

# A small machine's share, where the options of the caller say nothing else.
SMALL = {"innodb_buffer_pool_size": "64M", "innodb_log_file_size": "64M"}


class MariaDbServer:
    """One MariaDB under `folder`. `passwords`: of the accounts `server` and `migrator`. `options`: settings that
    replace those of the configuration file; they count from the next start."""

    def __init__(self, folder: Path, leaf, trust: Path, passwords: dict[str, str], port: int | None = None,
                 options: dict[str, str] | None = None, guard: bool = True):
        self.folder = Path(folder).resolve()
        self.port = port or free_port()
        self.options = SMALL | (options or {})
        self._port_fixed = port is not None
        self._leaf, self._trust = leaf, trust
        self._passwords = passwords
        self.data = self.folder / "data"
        # Not /tmp: a MariaDB that starts takes away the temporary tables that it finds, others' too.
        self._temporary = self.folder / "tmp"
        self._os_user = pwd.getpwuid(os.getuid()).pw_name
        self.socket = self.folder / "mariadb.sock"
        if len(str(self.socket)) > 100:  # A socket's path has at most 107 bytes.
            digest = hashlib.sha256(str(self.folder).encode()).hexdigest()[:16]
            self.socket = Path(tempfile.gettempdir()) / f"postern-{digest}.sock"
        self.process = Process("mariadb", [], self.folder / "mariadb.log", guard=guard,
                               scheduling="yielding")

    def start(self) -> None:
        """Makes its data folder if there is none, starts it, and returns when it answers. The first start makes the
        schema and the accounts."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._temporary.mkdir(exist_ok=True)
        # Written last: a folder without it was not finished and is made anew.
        finished = self.folder / "initialised"
        if not finished.exists():
            self._install()
        for attempt in range(3):
            self._write_config()
            defaults = f"--defaults-file={self.folder / 'mariadb.cnf'}"
            self.process.command = ["mariadbd", defaults, f"--user={self._os_user}"]
            self.process.start()
            try:
                self.process.wait_ready(self.answers, 120)
                break
            except ProcessError as error:
                if self._port_fixed or attempt == 2 or "in use" not in str(error):
                    raise
                self.port = free_port()
        if not finished.exists():
            self._create_users()
            finished.touch()

    def _install(self) -> None:
        if self.data.exists():
            subprocess.run(["rm", "-rf", str(self.data)], check=True)
        command = ["mariadb-install-db", "--no-defaults", f"--datadir={self.data}", "--skip-test-db",
                   "--auth-root-authentication-method=socket", f"--auth-root-socket-user={self._os_user}",
                   f"--user={self._os_user}", "--innodb-log-file-size=16M", f"--tmpdir={self._temporary}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ProcessError(f"mariadb-install-db failed:\n{(done.stdout + done.stderr)[-2000:]}")

    def _write_config(self) -> None:
        settings = {
            "port": self.port,
            "datadir": self.data,
            "tmpdir": self._temporary,
            "socket": self.socket,
            "pid_file": self.data / "server.pid",
            "ssl_cert": self._leaf.certificate,
            "ssl_key": self._leaf.key,
            "ssl_ca": self._trust,
        } | self.options
        lines = [f"!include {CONFIG / 'mariadb.cnf'}", "[mariadbd]"]
        lines += [f"{key} = {value}" for key, value in settings.items()]
        (self.folder / "mariadb.cnf").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _create_users(self) -> None:
        script = (CONFIG / "mariadb_users.sql").read_text(encoding="utf-8")
        for account, password in self._passwords.items():
            script = script.replace(f"@{account.upper()}_PASSWORD@", password)
        self.sql(script, schema="")

    def stop(self) -> int | None:
        """Stops it in order."""
        return self.process.stop(60)

    def kill(self) -> None:
        """Kills it."""
        self.process.kill()

    def restart(self) -> None:
        """Stops and starts it."""
        self.stop()
        self.start()

    def answers(self) -> bool:
        """Whether it answers a query."""
        if not self.socket.exists():
            return False
        return self._client("SELECT 1", "", 5).returncode == 0

    def sql(self, script: str, schema: str = SCHEMA, seconds: float = 120) -> list[list[str]]:
        """Runs SQL as administrator through the socket; gives the rows, values as text. ProcessError with the
        server's message."""
        done = self._client(script, schema, seconds)
        if done.returncode != 0:
            raise ProcessError(f"mariadb: {done.stderr.strip()[:500]}")
        return [line.split("\t") for line in done.stdout.splitlines()]

    def reload_certificates(self) -> None:
        """Takes the certificate's files as they are now, without a restart; open connections stay."""
        self.sql("FLUSH SSL", schema="")

    def _client(self, script: str, schema: str, seconds: float) -> subprocess.CompletedProcess:
        command = ["mariadb", "--no-defaults", f"--socket={self.socket}", f"--user={self._os_user}",
                   "--batch", "--skip-column-names", *([schema] if schema else [])]
        try:
            return subprocess.run(command, input=script, capture_output=True, text=True,
                                  timeout=seconds, check=False)
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, 1, "", f"no answer within {seconds:g} s")
