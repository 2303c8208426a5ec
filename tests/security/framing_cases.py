"""Requests that can be read in two ways, are not HTTP/1.1, or pass a limit of the header: the edge answers each with an error and closes.

What follows in the same connection must never be taken for a request (request smuggling, RFC 9112, 11.2).
"""

from typing import NamedTuple

HEADER_BYTES_MAX = 16 * 1024
BODY_BYTES_MAX = 64 * 1024
FIELDS_MAX = 100

_BODY = b'{"sender_number": "+14155550123", "message_body": "must never be accepted"}'
_SMUGGLED = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"
_CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(_BODY), _BODY)
_LENGTH = b"Content-Length: %d\r\n" % len(_BODY)


class Case(NamedTuple):
    """One request: its name, its bytes, and the status it is answered with."""

    name: str
    content: bytes
    status: int


def _post(fields: bytes, body: bytes = _BODY, line: bytes = b"POST /api/v1/messages HTTP/1.1") -> bytes:
    """A post with a Host and a type, these fields, and this body."""
    return line + b"\r\nHost: a\r\nContent-Type: application/json\r\n" + fields + b"\r\n" + body


def _te(value: bytes, more: bytes = b"", body: bytes = _SMUGGLED) -> bytes:
    """A post with Transfer-Encoding, which hides another request in what might be its body."""
    return _post(b"Transfer-Encoding: " + value + b"\r\n" + more, body)


_HIDDEN_LENGTH = b"Content-Length: %d\r\n" % len(_SMUGGLED)

FRAMING = [
    # Length and coding.
    Case("chunked", _te(b"chunked", body=_CHUNKED), 501),
    Case("length, then chunked", _post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + _SMUGGLED), 501),
    Case("chunked, then length", _post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n" + _SMUGGLED), 501),
    Case("coding gzip", _te(b"gzip"), 501),
    Case("coding xchunked", _te(b"xchunked"), 501),
    Case("coding chunked, identity", _te(b"chunked, identity"), 501),
    Case("coding gzip with a length", _te(b"gzip", _HIDDEN_LENGTH), 501),
    Case("coding xchunked with a length", _te(b"xchunked", _HIDDEN_LENGTH), 501),
    Case("coding chunked, identity with a length", _te(b"chunked, identity", _HIDDEN_LENGTH), 501),
    Case("identity, then chunked", _te(b"identity", b"Transfer-Encoding: chunked\r\n", _CHUNKED), 501),
    Case("coding identity with a length", _te(b"identity", _HIDDEN_LENGTH), 501),
    Case("empty coding", _te(b"", _HIDDEN_LENGTH), 501),
    Case("folded coding", _post(b"Transfer-Encoding:\r\n chunked\r\n", _CHUNKED), 501),
    Case("coding after a vertical tab", _te(b"\x0bchunked", body=_CHUNKED), 400),
    Case("coding with a space before the colon", _post(b"Transfer-Encoding : chunked\r\n", _CHUNKED), 400),
    Case("chunk of a size that overflows", _te(b"chunked", body=b"ffffffffffffffff1\r\nx\r\n0\r\n\r\n"), 501),
    Case("trailer with a length", _te(b"chunked", body=_CHUNKED[:-2] + b"Content-Length: 1\r\n\r\n"), 501),
    Case("trailer with a Host", _te(b"chunked", body=_CHUNKED[:-2] + b"Host: b\r\n\r\n"), 501),
    Case("HTTP/1.0 with chunked", _post(b"Transfer-Encoding: chunked\r\n", _CHUNKED, b"POST /api/v1/messages HTTP/1.0"), 501),
    # Length.
    Case("no length", _post(b"", b""), 411),
    Case("lengths that differ", _post(b"Content-Length: 5\r\nContent-Length: 6\r\n"), 400),
    Case("the same length twice", _post(_LENGTH + _LENGTH), 400),
    Case("a list of equal lengths", _post(b"Content-Length: 5,5\r\n"), 400),
    Case("length with a plus", _post(b"Content-Length: +5\r\n"), 400),
    Case("negative length", _post(b"Content-Length: -1\r\n"), 400),
    Case("length in hexadecimal", _post(b"Content-Length: 0x5\r\n"), 400),
    Case("length of 20 digits", _post(b"Content-Length: 99999999999999999999\r\n"), 400),
    Case("empty length", _post(b"Content-Length:\r\n"), 400),
    Case("length in letters", _post(b"Content-Length: five\r\n"), 400),
    Case("length with a space before the colon", _post(b"Content-Length : 5\r\n"), 400),
    # Characters.
    Case("bare line feeds", _post(_LENGTH).replace(b"\r\n", b"\n"), 400),
    Case("bare carriage return in a value", _post(b"X-A: a\rb\r\n" + _LENGTH), 400),
    Case("NUL in a value", _post(b"X-A: a\0b\r\n" + _LENGTH), 400),
    Case("field without a colon", _post(b"Nonsense\r\n" + _LENGTH), 400),
    Case("field without a name", _post(b": a\r\n" + _LENGTH), 400),
    # Request line.
    Case("no HTTP at all", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\r\n\r\n", 400),
    Case("HTTP/0.9", b"GET /livez\r\n\r\n", 400),
    Case("HTTP/1.9", _SMUGGLED.replace(b"1.1", b"1.9"), 400),
    Case("HTTP/2.0", _SMUGGLED.replace(b"1.1", b"2.0"), 400),
    Case("preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    Case("two spaces", _SMUGGLED.replace(b"GET ", b"GET  "), 400),
    Case("target with a fragment", _SMUGGLED.replace(b"/livez", b"/livez#a"), 400),
    Case("absolute form", _SMUGGLED.replace(b"/livez", b"http://b/livez"), 400),
    Case("CONNECT", b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    # Host.
    Case("no Host", b"GET /livez HTTP/1.1\r\n\r\n", 400),
    Case("two Hosts", _post(b"Host: b\r\n" + _LENGTH), 400),
    Case("the same Host twice", _post(b"host: a\r\n" + _LENGTH), 400),
    Case("empty Host", b"GET /livez HTTP/1.1\r\nHost:\r\n\r\n", 400),
    Case("Host with a path", b"GET /livez HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    # Expectation.
    Case("expects a miracle", _post(b"Expect: miracle\r\n" + _LENGTH), 417),
]

LIMITS = [
    Case("header of 16 KiB and a byte", _post(b"X-A: " + b"a" * HEADER_BYTES_MAX + b"\r\n" + _LENGTH), 431),
    Case("target of 16 KiB", b"GET /" + b"a" * HEADER_BYTES_MAX + b" HTTP/1.1\r\nHost: a\r\n\r\n", 431),
    Case("header without end", _post(b"X-A: " + b"a" * 4 * HEADER_BYTES_MAX, b""), 431),
    Case("101 fields", _post(b"a:\r\n" * FIELDS_MAX + _LENGTH), 431),
    Case("1,500 empty fields", _post(b"a:\r\n" * 1500 + _LENGTH), 431),
    Case("body of 64 KiB and a byte", _post(b"Content-Length: %d\r\n" % (BODY_BYTES_MAX + 1), b"x" * (BODY_BYTES_MAX + 1)), 413),
    Case("body of petabytes announced", _post(b"Content-Length: 9999999999999999\r\n", b""), 413),
    Case("body too large, after asking first", _post(b"Expect: 100-continue\r\nContent-Length: 70000\r\n", b""), 413),
]
