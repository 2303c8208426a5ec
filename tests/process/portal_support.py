"""What tests of the portal share: a client that does what a browser does with cookies and forms, and people who may sign in."""

import html
import http.client
import re
import ssl
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from support import Stack

PASSWORD = "correct horse battery staple"


@dataclass
class Page:
    """An answer of the portal."""

    status: int
    fields: list[tuple[str, str]]
    body: str

    def field(self, name: str) -> str:
        """A field's first value; empty when there is none."""
        return next((value for key, value in self.fields if key.lower() == name.lower()), "")

    @property
    def location(self) -> str:
        return self.field("Location")

    def hidden(self, name: str) -> str:
        """The value of a hidden field of a form."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.body)
        return html.unescape(found[1]) if found else ""


@dataclass
class PortalClient:
    """Keeps cookies and the last form's token. `port`: of the portal on this machine."""

    stack: Stack
    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    token: str = ""

    @property
    def origin(self) -> str:
        return f"https://localhost:{self.port}"

    def get(self, path: str, headers: dict | None = None) -> Page:
        return self.request("GET", path, None, headers)

    def post(self, path: str, form: dict | None = None, headers: dict | None = None) -> Page:
        """Sends a form with the last page's token, unless `form` has one."""
        fields = {"csrf": self.token} | (form or {})
        given = {"Content-Type": "application/x-www-form-urlencoded", "Origin": self.origin} | (headers or {})
        return self.request("POST", path, urlencode(fields).encode(), given)

    def request(self, method: str, path: str, body: bytes | None, headers: dict | None = None) -> Page:
        """One request on a connection of its own. A header of value None is left out."""
        context = ssl.create_default_context(cafile=str(self.stack.root_ca))
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=20, context=context)
        fields = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}
        fields |= headers or {}
        try:
            connection.request(method, path, body, {name: value for name, value in fields.items() if value is not None})
            answer = connection.getresponse()
            page = Page(answer.status, answer.getheaders(), answer.read().decode("utf-8", "replace"))
        finally:
            connection.close()
        self.keep(page)
        return page

    def keep(self, page: Page) -> None:
        """Takes over the cookies and the token of an answer."""
        for name, value in page.fields:
            if name.lower() != "set-cookie":
                continue
            cookie, _, attributes = value.partition(";")
            key, _, content = cookie.partition("=")
            if "Max-Age=0" in attributes:
                self.cookies.pop(key, None)
            else:
                self.cookies[key] = content
        self.token = page.hidden("csrf") or self.token

    def sign_in(self, email: str, password: str = PASSWORD, path: str = "/login") -> Page:
        """Sends the login form; follows where it leads when it was let in."""
        self.get(path)
        answer = self.post("/login", {"email": email, "password": password})
        if answer.status == 303:
            self.get(urlsplit(answer.location).path)
        return answer


def portal_port(stack: Stack, name: str | None = None) -> int:
    """The HTTPS port of a portal; the first when none is named."""
    return stack.programs[name or stack.portal_names[0]].config["listen.port"]


def make_user(stack: Stack, email: str, name: str, role: str = "user", clients: tuple[str, ...] = (),
              password: str | None = PASSWORD) -> str:
    """Makes a user with posternctl who has changed the one-time password to `password`; None leaves it. Gives the password
    that is valid."""
    words = ["user", "create", email, "--name", name, "--role", role]
    for client in clients:
        words += ["--client", client]
    one_time = stack.ctl_json(*words)["one_time_password"]
    if password is None:
        return one_time
    browser = PortalClient(stack, portal_port(stack))
    browser.sign_in(email, one_time)
    browser.get("/password")
    done = browser.post("/password", {"current_password": one_time, "new_password": password, "repeat_password": password})
    if done.location != "/dashboard":
        raise AssertionError(f"the password of {email} could not be changed: {done.status} {done.body[:2000]}")
    return password
