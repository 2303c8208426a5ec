"""What somebody does who has a portal's certificate, or a user's token, or both: calls of the main server, and tokens bent in every way that does
not need the server's signing key."""

import base64
import hashlib
import hmac
import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from support import BUF, ROOT, Stack

PROTOS = ROOT / "proto" / "postern" / "v1"


@dataclass
class Answer:
    """Of a call: `ok`, or the name of gRPC's code in small letters."""

    code: str
    message: dict


class PortalRpc:
    """Calls with a portal's certificate, and the user's token if there is one."""

    def __init__(self, stack: Stack):
        self.stack = stack
        self.leaf = stack.authority.leaf("portal", stack.portal_names[0])
        self.schema = stack.folder / "protos.binpb"
        if not self.schema.exists():
            subprocess.run([str(BUF), "build", str(ROOT / "proto"), "-o", str(self.schema)], check=True)

    def call(self, method: str, data: dict | None = None, token: str = "") -> Answer:
        """Calls `UserService/GetProfile`. The token goes in by standard input, as no argument shows it."""
        command = [str(BUF), "curl", "--protocol", "grpc", "--schema", str(self.schema), "--cacert", str(self.stack.authority.services_anchor),
                   "--cert", str(self.leaf.certificate), "--key", str(self.leaf.key), "--header", "@-", "--data", "@-",
                   f"https://{self.stack.server_target}/postern.v1.{method}"]
        # Header lines, an empty one, then the message. There has to be a header.
        headers = f"authorization: Bearer {token}\n" if token else "x-test: none\n"
        done = subprocess.run(command, input=f"{headers}\n{json.dumps(data or {})}", capture_output=True, text=True, timeout=30, check=False)
        if done.returncode == 0:
            return Answer("ok", json.loads(done.stdout or "{}"))
        found = re.search(r'"code":\s*"(\w+)"', done.stderr + done.stdout)
        return Answer(found[1] if found else f"no answer: {done.stderr.strip()}", {})

    def login(self, email: str, password: str) -> dict:
        """The tokens of a new session."""
        data = {"email": email, "password": password, "address": "192.0.2.44", "user_agent": "a test"}
        return self.call("UserService/Login", data).message["tokens"]


def unary_methods() -> list[str]:
    """Every method of every service that answers once, as `UserService/Login`."""
    methods = []
    for path in sorted(PROTOS.glob("*_service.proto")):
        service = ""
        for line in path.read_text(encoding="utf-8").splitlines():
            if found := re.match(r"service (\w+)", line):
                service = found[1]
            elif (found := re.match(r"\s+rpc (\w+)\(", line)) and "returns (stream" not in line:
                methods.append(f"{service}/{found[1]}")
    return methods


def encode(data: bytes | dict) -> str:
    raw = json.dumps(data, separators=(",", ":")).encode() if isinstance(data, dict) else data
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(part: str) -> dict:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


class ForeignKey:
    """A key on the server's curve that the server does not know."""

    def __init__(self, folder: Path):
        self.path = folder / "foreign.pem"
        subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(self.path)], check=True)

    def sign(self, header: dict, payload: dict) -> str:
        """A token with a signature that is right for this key."""
        text = f"{encode(header)}.{encode(payload)}"
        done = subprocess.run(["openssl", "dgst", "-sha256", "-sign", str(self.path)], input=text.encode(), capture_output=True, check=True)
        return f"{text}.{encode(_raw_signature(done.stdout))}"


def _raw_signature(der: bytes) -> bytes:
    """r and s, 32 bytes each, of SEQUENCE { INTEGER r, INTEGER s }."""
    numbers, at = [], 2
    for _ in range(2):
        length = der[at + 1]
        numbers.append(int.from_bytes(der[at + 2:at + 2 + length], "big").to_bytes(32, "big"))
        at += 2 + length
    return b"".join(numbers)


def bent_tokens(token: str, foreign: ForeignKey) -> dict[str, str]:
    """What can be made of a good token without the server's key, by what was done."""
    head, body, signature = token.split(".")
    header, payload = decode(head), decode(body)
    bent = {f"alg {name}, signature {'kept' if kept else 'away'}": f"{encode(header | {'alg': name})}.{body}.{kept}"
            for name in ("none", "None", "nOnE", "") for kept in ("", signature)}
    # A verifier that lets the token choose may take its public key for a shared secret.
    for secret in (b"", header["kid"].encode(), b"secret"):
        text = f"{encode(header | {'alg': 'HS256'})}.{body}"
        bent[f"alg HS256 with {secret!r}"] = f"{text}.{encode(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"
    bent["alg ES384"] = f"{encode(header | {'alg': 'ES384'})}.{body}.{signature}"
    for kid in ("", "0", "nobody", "../../../../dev/null", "' OR '1'='1", "\u202e", "k" * 3000):
        bent[f"kid {kid[:24]!r}"] = f"{encode(header | {'kid': kid})}.{body}.{signature}"
    for name, change in {"subject": {"sub": "1"}, "e-mail": {"email": "ada@example.org"}, "later end": {"exp": payload["exp"] + 86_400},
                         "audience": {"aud": "postern-server:elsewhere"}, "issuer": {"iss": "elsewhere"}, "session": {"sid": "0" * 36}}.items():
        bent[f"another {name}, old signature"] = f"{head}.{encode(payload | change)}.{signature}"
        bent[f"another {name}, foreign signature"] = foreign.sign(header, payload | change)
    bent["a foreign signature"] = foreign.sign(header, payload)
    bent["a key in the header"] = foreign.sign(header | {"jwk": {"kty": "EC", "crv": "P-256"}, "jku": "https://evil.example/keys"}, payload)
    bent |= {"no signature": f"{head}.{body}", "an empty signature": f"{head}.{body}.", "a cut signature": token[:-8], "two tokens": f"{token},{token}",
             "a zero signature": f"{head}.{body}.{encode(bytes(64))}", "text after it": token + ".x", "nothing but dots": ".."}
    return bent
