"""The plans of the statements that the main server runs, as MariaDB itself writes them down."""

import re
from dataclasses import dataclass, field

from stack import Stack

# Those that grow with the messages.
LARGE = {"messages", "pending", "statistics", "statistics_latency", "audit_log", "quarantine"}
_HEAD = re.compile(r"Rows_examined: (\d+)")
_EXPLAIN = "# explain: "
# A table that is as small as this now costs nothing when it is read whole, and the optimizer knows it.
ROWS_SMALL = 1000


@dataclass
class Plan:
    """One statement. `steps`: a row of EXPLAIN each, by its columns."""

    statement: str = ""
    rows_examined: int = 0
    steps: list[dict[str, str]] = field(default_factory=list)

    def faults(self) -> list[str]:
        """What is read without an index."""
        return [f"{step['table']} by {step['type']}: {self.statement[:200]}" for step in self.steps
                if step.get("table") in LARGE and (step.get("type") == "ALL" or step.get("key") in ("NULL", "", None))
                and float(step.get("r_rows") or 0) > ROWS_SMALL]


class PlanLog:
    """MariaDB's slow query log with a limit of 0: every SELECT with the plan that it ran by."""

    OPTIONS = {"log_slow_verbosity": "query_plan,explain", "slow_query_log_file": "plans.log", "slow_query_log": "OFF"}

    def __init__(self, stack: Stack):
        self._stack = stack
        self._path = stack.mariadb.data / "plans.log"
        self._at = 0

    def begin(self) -> None:
        """From now on. The main server is started again: only new connections take part."""
        self._stack.sql("SET GLOBAL long_query_time = 0, slow_query_log = ON")
        self._stack.programs["server-1"].restart()

    def skip(self) -> None:
        """What was written so far is of no interest."""
        self._at = self._path.stat().st_size

    def read(self) -> list[Plan]:
        """The plans since `skip` that touch large tables."""
        with self._path.open("rb") as log:
            log.seek(self._at)
            text = log.read().decode("latin-1")
        self._at += len(text)
        plans = [plan for plan in map(_parse, re.split(r"^# User@Host: ", text, flags=re.MULTILINE)[1:])
                 if plan.statement.startswith("SELECT")]
        return [plan for plan in plans if any(step.get("table") in LARGE for step in plan.steps)]


def _parse(entry: str) -> Plan:
    plan = Plan()
    columns: list[str] = []
    statement = []
    for line in entry.split("\n"):
        if line.startswith(_EXPLAIN):
            cells = line.removeprefix(_EXPLAIN).split("\t")
            if cells[0] == "id":
                columns = cells
            else:
                plan.steps.append(dict(zip(columns, cells)))
        elif found := _HEAD.search(line):
            plan.rows_examined = int(found[1])
        elif not line.startswith(("#", "SET timestamp", "use ")):
            statement.append(line)
    # The first line is the rest of the head: who asked.
    plan.statement = "\n".join(statement[1:])
    return plan
