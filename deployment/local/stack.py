"""A whole Postern on one machine: Redis, MariaDB, certificates, keys and programs, all on loopback under one folder.

Used by `up`, `down` and `status`, and by everything under tests/ that needs real programs:

    with Stack(folder, build="dev", clients=2) as stack:
        stack.clients["client-00"].certificate
        stack.programs["worker-1"].kill()

What it starts is the production configuration of deployment/config with this folder's paths, ports and passwords.
"""

import json
import secrets
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
for _folder in (ROOT / "certs", ROOT / "deployment" / "local"):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

from authority import Authority, CertificateError, Leaf  # noqa: E402
from mariadb_server import SCHEMA, MariaDbServer  # noqa: E402
from processes import Process, ProcessError, free_port, port_is_free, wait_until  # noqa: E402
from programs import Program, write_yaml  # noqa: E402
from redis_server import USERS, RedisServer  # noqa: E402

__all__ = ["ROOT", "Authority", "CertificateError", "Leaf", "Process", "ProcessError", "Program", "Stack",
           "free_port", "wait_until"]

PORTS = ("edge", "enrolment", "server", "portal", "redis", "mariadb", "edge_ops", "worker_ops", "server_ops", "portal_ops")


class Stack:
    """`folder`: everything it makes is in there; a folder that was used before is used again, data included.

    `build`: a preset (build/<preset>/bin) or the build folder itself.
    `clients`: how many (client-00, client-01, …) or their ids; each is registered with its certificate.
    `workers`: how many.
    `portals`: how many.
    `overrides`: configuration keys by program kind or instance: {"worker": {"retry_interval_ms": 500}}; those of "redis"
    and "mariadb" come on top of the next two.
    `redis_options`, `mariadb_options`: settings that replace those of deployment/config.
    `env`: environment by kind ("redis", "mariadb", "edge", "worker", "server", "portal"): {"redis": {"LD_PRELOAD": "…"}}.
    `ports`: fixed ports, by the names in PORTS; all others are free ones. Worker 1 uses worker_ops, worker n
    worker_ops + 9 + n. The first portal has the fixed ports.
    `component_life`: seconds that the certificates of server, edge and workers live, the edge's listener included; those
    of their profiles when none is given.
    `guard`: everything is killed when this Python process ends, however that ends.
    """

    def __init__(self, folder: Path, *, build: str | Path = "dev", clients: int | list[str] = 1,
                 workers: int = 1, portals: int = 0, domain: str = "localhost", trust_domain: str = "postern.local",
                 overrides: dict[str, dict] | None = None, redis_options: dict[str, str] | None = None,
                 mariadb_options: dict[str, str] | None = None, env: dict[str, dict[str, str]] | None = None,
                 ports: dict[str, int] | None = None, component_life: int | None = None, guard: bool = True):
        self.folder = Path(folder).resolve()
        self.build = ROOT / "build" / build if isinstance(build, str) else Path(build).resolve()
        self.bin = self.build / "bin"
        self.domain = domain
        self.trust_domain = trust_domain
        self.overrides = overrides or {}
        self.client_ids = [f"client-{i:02}" for i in range(clients)] if isinstance(clients, int) else clients
        self.worker_names = [f"worker-{i + 1}" for i in range(workers)]
        self.component_life = component_life
        self.portal_names = [f"portal-{i + 1}" for i in range(portals)]
        self.guard = guard
        self.ports = {name: (ports or {}).get(name) or free_port() for name in PORTS}
        self._fixed_ports = ports or {}
        self._redis_options = (redis_options or {}) | self.overrides.get("redis", {})
        self._mariadb_options = (mariadb_options or {}) | self.overrides.get("mariadb", {})
        self._env = env or {}
        self.clients: dict[str, Leaf] = {}
        self.programs: dict[str, Program] = {}
        self.redis: RedisServer | None = None
        self.mariadb: MariaDbServer | None = None

    @classmethod
    def attached(cls, folder: Path, record: dict) -> "Stack":
        """The stores of a stack that another process started. `record`: what running.save wrote."""
        stack = cls(folder, build=Path(record["build"]), ports=record["ports"], guard=False)
        stack.authority = Authority(stack.folder / "certs")
        stack._make_stores()
        return stack

    def __enter__(self) -> "Stack":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    # --- As a whole.

    def start(self, programs: bool = True) -> None:
        """Starts everything and returns when everything is ready. Stops what it started when something fails."""
        try:
            self.prepare()
            self.start_stores()
            self.migrate()
            if programs:
                self.start_programs()
        except BaseException:
            self.kill()
            raise

    def prepare(self) -> None:
        """Makes certificates, keys, passwords and configurations; starts nothing."""
        if not (self.bin / "postern-server").exists():
            raise ProcessError(f"{self.bin} holds no postern-server: build first")
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._make_certificates()
        self._make_secrets()
        self._make_stores()

    def _make_stores(self) -> None:
        store, client = self.authority.leaf, self.authority.leaf("operator", "local")
        self.redis = RedisServer(
            self.folder / "redis", store("store", "redis"), self.authority.services_anchor, client,
            {user: self._secret(f"redis_{user}") for user in USERS}, self._fixed_ports.get("redis"),
            self._redis_options, self._env.get("redis"), self.guard)
        self.mariadb = MariaDbServer(
            self.folder / "mariadb", store("store", "mariadb"), self.authority.services_anchor,
            {name: self._secret(f"database_{name}") for name in ("server", "migrator")},
            self._fixed_ports.get("mariadb"), self._mariadb_options, self.guard)
        self.mariadb.process.env = self._env.get("mariadb", {})

    def start_stores(self) -> None:
        """Starts Redis and MariaDB."""
        self.redis.start()
        self.mariadb.start()
        self.ports["redis"], self.ports["mariadb"] = self.redis.port, self.mariadb.port

    def migrate(self) -> None:
        """Brings the database to the current schema."""
        self._write_ctl_config()
        self.ctl("db", "migrate")

    def start_programs(self) -> None:
        """Starts server, edge, workers and portals, and registers the clients."""
        names = [("server", "server-1"), ("edge", "edge-1")]
        names += [("worker", name) for name in self.worker_names] + [("portal", name) for name in self.portal_names]
        for kind, name in names:
            self.programs[name] = self._program(kind, name)
        self._write_ctl_config()
        # Short-lived ones would be half over by now.
        if self.component_life is not None:
            self._enrol_components("server")
        self.programs["server-1"].start()
        self.register_clients()
        if self.component_life is not None:
            self._enrol_components("edge", "listen", "worker", "portal")
        others = [program for program in self.programs.values() if program.kind != "server"]
        for program in others:
            program.start(wait=False)
        for program in others:
            program.wait_ready()

    def stop(self) -> dict[str, int | None]:
        """Stops everything in order: portals, edge, workers, server, stores. Gives the exit codes; ProcessError, once all is
        stopped, when something had to be killed."""
        codes, faults = {}, []
        for process in self.processes():
            try:
                codes[process.name] = process.stop(60)
            except ProcessError as error:
                faults.append(str(error))
        if faults:
            raise ProcessError("\n".join(faults))
        return codes

    def kill(self) -> None:
        """Kills everything that runs."""
        for process in self.processes():
            process.kill()

    def processes(self) -> list[Process]:
        """All there are, in the order in which they are stopped."""
        order = {"portal": 0, "edge": 1, "worker": 2, "server": 3}
        programs = sorted(self.programs.values(), key=lambda program: order[program.kind])
        stores = [store.process for store in (self.redis, self.mariadb) if store is not None]
        return [program.process for program in programs] + stores

    # --- What callers need.

    @property
    def edge_url(self) -> str:
        """The REST port's base URL."""
        return f"https://localhost:{self.ports['edge']}"

    @property
    def portal_url(self) -> str:
        """The first portal's base URL."""
        return f"https://localhost:{self.programs[self.portal_names[0]].config['listen.port']}"

    @property
    def root_ca(self) -> Path:
        """What clients trust."""
        return self.authority.root_ca

    @property
    def server_target(self) -> str:
        """The main server's gRPC port."""
        return f"localhost:{self.ports['server']}"

    @property
    def ctl_config(self) -> Path:
        """The configuration file for posternctl."""
        return self.folder / "posternctl.yaml"

    def ctl(self, *words: str, check: bool = True, seconds: float = 60) -> subprocess.CompletedProcess:
        """Runs posternctl. ProcessError with what it printed when it fails, unless `check` is false."""
        command = [str(self.bin / "posternctl"), "--config", str(self.ctl_config), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
        if check and done.returncode != 0:
            raise ProcessError(f"posternctl {' '.join(words)}: exit code {done.returncode}\n"
                               f"{(done.stdout + done.stderr).strip()[-2000:]}")
        return done

    def ctl_json(self, *words: str):
        """Runs posternctl with `-o json`; gives the parsed answer."""
        return json.loads(self.ctl(*words, "-o", "json").stdout)

    def sql(self, query: str) -> list[list[str]]:
        """Rows of a query as the database's administrator, values as text."""
        return self.mariadb.sql(query)

    def renew_stores(self) -> None:
        """New certificates for Redis and MariaDB, in use at once."""
        for store in ("redis", "mariadb"):
            self.authority.issue("store", store)
        self.redis.reload_certificates()
        self.mariadb.reload_certificates()

    def register_clients(self) -> None:
        """Registers every client that the server does not know, with its certificate."""
        known = {row[0] for row in self.sql("SELECT client_id FROM clients")}
        missing = [client_id for client_id in self.client_ids if client_id not in known]
        with ThreadPoolExecutor(max_workers=4) as pool:
            list(pool.map(self._register_client, missing))

    def _register_client(self, client_id: str) -> None:
        self.ctl("client", "create", client_id, "--domain", self.domain,
                 "--certificate", str(self.clients[client_id].certificate))

    # --- Certificates, secrets, configurations.

    def _make_certificates(self) -> None:
        folder = self.folder / "certs"
        try:
            self.authority = Authority(folder, self.bin)
        except CertificateError:
            self.authority = Authority.create(folder, self.trust_domain, self.bin)
        # The mesh's certificates are short-lived, and nothing remembers them: new ones at each start.
        others = [("operator", "local"), ("store", "redis"), ("store", "mariadb")]
        others += [("listen", name) for name in self.portal_names]
        with ThreadPoolExecutor(max_workers=2) as pool:
            list(pool.map(lambda leaf: self.authority.issue(*leaf), others))
        self._enrol_components()
        # A client's certificate is registered by its fingerprint: made once.
        self.clients = {name: self.authority.leaf("client", name) for name in self.client_ids}
        missing = [name for name, leaf in self.clients.items() if not leaf.certificate.exists()]
        self.authority.issue_many("client", missing)

    def _enrol_components(self, *kinds: str) -> None:
        """Of these kinds of program, or of all."""
        wanted = [leaf for leaf in self.components() if not kinds or leaf[0] in kinds]
        with ThreadPoolExecutor(max_workers=2) as pool:
            list(pool.map(lambda leaf: self.enrol(*leaf), wanted))

    def components(self) -> list[tuple[str, str]]:
        """Profile and name of each certificate that the programs renew."""
        return [("server", "server-1"), ("edge", "edge-1"), ("listen", "edge-1")] + [
            ("worker", name) for name in self.worker_names] + [("portal", name) for name in self.portal_names]

    def enrol(self, profile: str, name: str) -> Leaf:
        """A component's certificate by the local command, as after its installation."""
        return self.authority.issue(profile, name, life_seconds=self.component_life)

    def _make_secrets(self) -> None:
        folder = self.folder / "secrets"
        folder.mkdir(exist_ok=True, mode=0o700)
        names = [f"redis_{user}" for user in USERS] + ["database_server", "database_migrator"]
        for name in [*names, "master.key", "index.key", "portal.key"]:
            path = folder / name
            if not path.exists():
                path.touch(mode=0o600)
                path.write_text(secrets.token_hex(32) + "\n", encoding="ascii")

    def _secret_file(self, name: str) -> Path:
        return self.folder / "secrets" / name

    def _secret(self, name: str) -> str:
        return self._secret_file(name).read_text(encoding="ascii").strip()

    def _program(self, kind: str, name: str) -> Program:
        ops_port = self.ports[f"{kind}_ops"]
        if kind == "worker" and (index := self.worker_names.index(name)) > 0:
            ops_port = ops_port + 10 + index if "worker_ops" in self._fixed_ports else free_port()
        if kind == "portal" and self.portal_names.index(name) > 0:
            ops_port = free_port()
        program = Program(kind, name, self.folder / name, self.bin, ops_port, self.guard)
        program.process.env = self._env.get(kind, {})
        config = {"name": name, "trust_domain": self.trust_domain, "ops.address": "127.0.0.1",
                  "ops.port": ops_port, "trust.state_file": program.folder / "trust.state"} | self._mesh(kind, name)
        if kind != "portal":
            config |= {"redis.host": "127.0.0.1", "redis.port": self.ports["redis"], "redis.user": kind,
                       "redis.password_file": self._secret_file(f"redis_{kind}"),
                       "redis.trust_file": self.authority.services_ca}
        if kind == "server":
            config |= self._server_config()
        else:
            config["server.target"] = self.server_target
        if kind == "edge":
            config |= self._edge_config(program)
        if kind == "portal":
            config |= self._portal_config(program)
        program.config = config | self.overrides.get(kind, {}) | self.overrides.get(name, {})
        return program

    def _mesh(self, role: str, name: str) -> dict:
        leaf = self.authority.leaf(role, name)
        return {"mesh.certificate_file": leaf.certificate, "mesh.key_file": leaf.key,
                "mesh.trust_file": self.authority.services_ca}

    def _edge_config(self, program: Program) -> dict:
        listen = self.authority.leaf("listen", program.name)
        return {"listen.address": "127.0.0.1", "listen.port": self.ports["edge"],
                "listen.certificate_file": listen.certificate, "listen.key_file": listen.key,
                "listen.trust_file": self.authority.clients_ca,
                "directory.cache_file": program.folder / "clients.cache"} | (
                    {"ops.docs_folder": docs} if (docs := self.build / "share" / "api").is_dir() else {})

    def _portal_config(self, program: Program) -> dict:
        listen = self.authority.leaf("listen", program.name)
        share = self.build / "share" / "postern" / "portal"
        first = program.name == self.portal_names[0]
        return {"listen.address": "127.0.0.1", "listen.port": self.ports["portal"] if first else free_port(),
                "listen.certificate_file": listen.certificate, "listen.key_file": listen.key,
                "session.key_file": self._secret_file("portal.key"),
                "templates_folder": share / "templates", "assets_folder": share / "assets"}

    def _server_config(self) -> dict:
        return {"listen.address": "127.0.0.1", "listen.port": self.ports["server"],
                "keys.master_key_file": self._secret_file("master.key"),
                "keys.index_key_file": self._secret_file("index.key"),
                "ca.folder": self.authority.folder, "ca.passphrase_file": self.authority.passphrase,
                "audit.folder": self.folder / "audit",
                "migrations_folder": ROOT / "deployment" / "migrations"} | self._database(
                    "server", self.authority.leaf("server", "server-1"))

    def _database(self, account: str, leaf: Leaf) -> dict:
        return {"database.host": "127.0.0.1", "database.port": self.ports["mariadb"],
                "database.user": f"postern_{account}", "database.schema": SCHEMA,
                "database.password_file": self._secret_file(f"database_{account}"),
                "database.ca_file": self.authority.services_anchor,
                "database.certificate_file": leaf.certificate, "database.key_file": leaf.key}

    def _write_ctl_config(self) -> None:
        config = {"trust_domain": self.trust_domain, "server.target": self.server_target,
                  "migrations_folder": ROOT / "deployment" / "migrations",
                  "ops.urls": [f"http://127.0.0.1:{program.ops_port}" for program in self.programs.values()]}
        config |= self._mesh("operator", "local")
        config |= self._database("migrator", self.authority.leaf("operator", "local"))
        write_yaml(self.ctl_config, config | self.overrides.get("ctl", {}))
