"""A private Redis: the production configuration, with this folder, port, certificates and passwords."""

import hashlib
import os
import subprocess
from pathlib import Path

from processes import Process, ProcessError, free_port

CONFIG = Path(__file__).resolve().parents[1] / "config"
USERS = ("edge", "worker", "server", "admin")


class RedisServer:
    """One Redis under `folder`. `passwords`: by ACL user. `options`: settings that replace those of the configuration
    file, such as {"appendfsync": "everysec"}; they count from the next start. `env`: such as LD_PRELOAD, from the
    next start."""

    def __init__(self, folder: Path, leaf, trust: Path, client, passwords: dict[str, str], port: int | None = None,
                 options: dict[str, str] | None = None, env: dict[str, str] | None = None, guard: bool = True):
        self.folder = Path(folder)
        self.port = port or free_port()
        self.options = dict(options or {})
        self.env = dict(env or {})
        self._port_fixed = port is not None
        self._leaf, self._trust, self._client = leaf, trust, client
        self._passwords = passwords
        self.data = self.folder / "data"
        self.process = Process("redis", [], self.folder / "redis.log", guard=guard, scheduling="prompt")

    def start(self) -> None:
        """Writes its configuration, starts it, and returns when it answers."""
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        acl = (CONFIG / "users.acl").read_text(encoding="ascii")
        for user in USERS:
            digest = hashlib.sha256(self._passwords[user].encode()).hexdigest()
            acl = acl.replace(f"@{user.upper()}_PASSWORD_SHA256@", digest)
        (self.folder / "users.acl").write_text(acl, encoding="ascii")
        for attempt in range(3):
            self._write_config()
            self.process.command = ["redis-server", str(self.folder / "redis.conf")]
            self.process.env = self.env
            self.process.start()
            try:
                # Loading a large AOF takes its time.
                self.process.wait_ready(self.answers, 120)
                return
            except ProcessError as error:
                if self._port_fixed or attempt == 2 or "in use" not in str(error):
                    raise
                self.port = free_port()

    def _write_config(self) -> None:
        settings = {
            "tls-port": str(self.port),
            "dir": str(self.data),
            "tls-cert-file": str(self._leaf.certificate),
            "tls-key-file": str(self._leaf.key),
            "tls-ca-cert-file": str(self._trust),
            "aclfile": str(self.folder / "users.acl"),
        } | self.options
        lines = [f"include {CONFIG / 'redis.conf'}"]
        lines += [f'{key} "{value}"' for key, value in settings.items()]
        (self.folder / "redis.conf").write_text("\n".join(lines) + "\n", encoding="ascii")

    def stop(self) -> int | None:
        """Stops it in order."""
        return self.process.stop()

    def kill(self) -> None:
        """Kills it."""
        self.process.kill()

    def restart(self) -> None:
        """Stops and starts it."""
        self.stop()
        self.start()

    def answers(self) -> bool:
        """Whether it answers PING: it has loaded its data."""
        return self._cli("ping", seconds=2).stdout.strip() == "PONG"

    def command(self, *words: str) -> str:
        """Runs a command as administrator; gives redis-cli's raw output. ProcessError on an error reply."""
        done = self._cli(*words)
        if done.returncode != 0 or done.stdout.startswith(("ERR ", "NOPERM ", "WRONGTYPE ")):
            raise ProcessError(f"redis: {' '.join(words)[:80]}: {(done.stdout + done.stderr).strip()[:300]}")
        return done.stdout.rstrip("\n")

    def reload_certificates(self) -> None:
        """Takes the certificate's files and that of whom to trust as they are now, without a restart; open connections stay."""
        # Redis reads them again although the names are the same; in one command, so that key and certificate fit.
        self.command("config", "set", "tls-cert-file", str(self._leaf.certificate), "tls-key-file", str(self._leaf.key),
                     "tls-ca-cert-file", str(self._trust))

    def info(self, section: str = "everything") -> dict[str, str]:
        """INFO as a dictionary."""
        lines = self.command("info", section).splitlines()
        return dict(line.strip().split(":", 1) for line in lines if ":" in line)

    def _cli(self, *words: str, seconds: float = 30) -> subprocess.CompletedProcess:
        command = ["redis-cli", "--no-auth-warning", "-e", "-h", "127.0.0.1", "-p", str(self.port),
                   "--user", "admin", "--tls", "--cert", str(self._client.certificate),
                   "--key", str(self._client.key), "--cacert", str(self._trust), *words]
        env = os.environ | {"REDISCLI_AUTH": self._passwords["admin"]}
        try:
            return subprocess.run(command, env=env, capture_output=True, text=True, timeout=seconds,
                                  check=False)
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, 1, "", f"no answer within {seconds:g} s")
