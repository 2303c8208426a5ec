"""The pages that `./portal` measures, and the values that it fills in."""

import datetime
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

# Who visits: role and linked clients. The first client has a tenth of all messages, the others ever fewer.
FEW = ("client-00", "client-07", "client-42", "client-99")
MANY = tuple(f"client-{number:02}" for number in range(10, 60))
USERS = {"admin": ("admin", ()), "user": ("user", FEW), "wide": ("user", MANY)}

HOUR = 3600
DAY = 24 * HOUR


class Picks:
    """Values of messages that the register holds, out of the sample of the preload."""

    def __init__(self, sample: Path, order: random.Random):
        messages = [json.loads(line) for line in sample.read_text(encoding="ascii").splitlines()]
        self._messages = messages
        self._order = order
        self._first_s = min(message["accepted_at_us"] for message in messages) / 1e6

    def message(self, who: str = "admin", state: str = "DELIVERED") -> dict:
        """One that this visitor may see."""
        clients = USERS[who][1]
        while True:
            message = self._order.choice(self._messages)
            if message["state"].endswith(state) and (not clients or message["client"] in clients):
                return message

    def days(self, length_s: int) -> dict[str, str]:
        """A time somewhere in the register, as the form has it."""
        begin = self._order.uniform(self._first_s, time.time() - length_s)
        return {"from": _input(begin), "until": _input(begin + length_s)}

    def place(self, who: str = "admin") -> str:
        """A page token somewhere in the register."""
        return self.message(who)["id"].replace("-", "")


def _input(at_s: float) -> str:
    return datetime.datetime.fromtimestamp(at_s, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M")


@dataclass(frozen=True)
class Page:
    """A page, who asks for it, and how its address is made for one request."""

    name: str
    who: str
    path: Callable[[Picks], str]


def messages(**filters) -> str:
    """The list with filters, those of another name than a Python word with an underscore behind."""
    query = [(name.rstrip("_"), value) for name, value in filters.items()]
    return "/messages" + (f"?{urlencode(query, doseq=True)}" if query else "")


def _lists(who: str) -> list[Page]:
    """The list, each filter and deep pages, as everybody has them."""

    def page(name: str, path: Callable[[Picks], str]) -> Page:
        return Page(f"{who}: {name}", who, path)

    def value(picks: Picks, name: str) -> str:
        return picks.message(who)[name]

    def pair(picks: Picks, *names: str) -> dict[str, str]:
        message = picks.message(who)
        return {name: message[name] for name in names}

    return [
        page("list", lambda picks: messages()),
        page("list of 100", lambda picks: messages(size=100)),
        page("list, range=24h", lambda picks: messages(range="24h")),
        page("list, range=30d", lambda picks: messages(range="30d")),
        page("list, an hour", lambda picks: messages(**picks.days(HOUR))),
        page("list, three days", lambda picks: messages(**picks.days(3 * DAY))),
        page("list, state=delivered", lambda picks: messages(state="delivered")),
        page("list, state=queued", lambda picks: messages(state="queued")),
        page("list, state=retrying", lambda picks: messages(state="retrying")),
        page("list, state=dead", lambda picks: messages(state="dead")),
        page("list, queued or retrying", lambda picks: messages(state=["queued", "retrying"])),
        page("list, dead in a day", lambda picks: messages(state="dead", **picks.days(DAY))),
        page("list, a reason", lambda picks: messages(state="dead", reason="NOT_STORABLE")),
        page("list, a client", lambda picks: messages(client=value(picks, "client"))),
        page("list, a client in an hour", lambda picks: messages(client=value(picks, "client"), **picks.days(HOUR))),
        page("list, a client's dead", lambda picks: messages(state="dead", client=value(picks, "client"))),
        page("list, a number", lambda picks: messages(number=value(picks, "number"))),
        page("list, a number in a day", lambda picks: messages(number=value(picks, "number"), **picks.days(DAY))),
        page("list, a client's number", lambda picks: messages(**pair(picks, "client", "number"))),
        page("list, a reference", lambda picks: messages(ref=value(picks, "ref"))),
        page("list, a client's reference", lambda picks: messages(**pair(picks, "client", "ref"))),
        page("list, a common reference", lambda picks: messages(ref="newsletter")),
        page("list, a client's common reference", lambda picks: messages(ref="newsletter", client=value(picks, "client"))),
        page("list, deep", lambda picks: messages(page=picks.place(who))),
        page("list, deep and backwards", lambda picks: messages(page="p" + picks.place(who))),
        page("list, a client, deep", lambda picks: messages(page=picks.place(who), client=value(picks, "client"))),
        page("list, a number of others", lambda picks: messages(number=picks.message()["number"])),
        page("message", lambda picks: "/messages/" + value(picks, "id")),
        page("message, within a client", lambda picks: _within(pair(picks, "id", "client"))),
        page("message, dead", lambda picks: "/messages/" + picks.message(who, "DEAD")["id"] + "?state=dead"),
        page("dashboard", lambda picks: "/dashboard"),
        page("dashboard, range=1h", lambda picks: "/dashboard?range=1h"),
        page("dashboard, range=30d", lambda picks: "/dashboard?range=30d"),
        page("dashboard, figures", lambda picks: "/dashboard/figures"),
    ]


def _within(message: dict[str, str]) -> str:
    return f"/messages/{message['id']}?{urlencode({'client': message['client']})}"


# Other pages of administrators whose figures come from tables that grow with the messages.
_ADMIN = [
    Page("admin: statistics", "admin", lambda picks: "/statistics"),
    Page("admin: statistics, range=30d", "admin", lambda picks: "/statistics?range=30d"),
    Page("admin: client", "admin", lambda picks: "/clients/" + picks.message()["client"]),
    Page("admin: queue", "admin", lambda picks: "/queue"),
    Page("admin: audit log", "admin", lambda picks: "/audit"),
]

_WIDE_NAMES = ("list", "list, range=24h", "list, a number", "list, a reference", "list, deep", "list, state=dead", "dashboard",
               "dashboard, range=30d", "message")
_NO_OTHERS = "admin: list, a number of others"
PAGES = [page for page in _lists("admin") if page.name != _NO_OTHERS] + _ADMIN + _lists("user") + [
    page for page in _lists("wide") if page.name.removeprefix("wide: ") in _WIDE_NAMES]
