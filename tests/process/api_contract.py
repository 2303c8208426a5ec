"""Whether an answer of the edge is one that docs/api/openapi.yaml describes."""

import json
import re
from pathlib import Path

import jsonschema
import yaml

# RFC 3339 in UTC, with milliseconds: jsonschema checks times only with a package that Debian does not have.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "api" / "openapi.yaml"


class Contract:
    """The description of the client API. Remembers which operations and statuses were checked."""

    def __init__(self):
        self._document = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))
        self._resolver = jsonschema.RefResolver.from_schema(self._document)
        self._checker = jsonschema.FormatChecker(formats=("uuid",))
        self._checker.checks("date-time")(lambda value: not isinstance(value, str) or bool(_TIME.fullmatch(value)))
        self.checked: set[tuple[str, str, int]] = set()

    def operations(self) -> set[tuple[str, str]]:
        """Method and path of every operation."""
        return {(method.upper(), path) for path, item in self._document["paths"].items() for method in item}

    def check(self, method: str, target: str, answer) -> None:
        """AssertionError with every difference between the answer and its description."""
        path = self._path(target.partition("?")[0])
        operation = self._document["paths"][path][method.lower()]
        response = self._resolve(operation["responses"].get(str(answer.status)))
        where = f"{method} {path} -> {answer.status}"
        if response is None:
            raise AssertionError(f"{where} is not described")
        faults = [*self._header_faults(response, answer), *self._body_faults(response, answer)]
        if faults:
            raise AssertionError(f"{where}: " + "; ".join(faults))
        self.checked.add((method, path, answer.status))

    def _path(self, target: str) -> str:
        """The path template that a path fits."""
        if target in self._document["paths"]:
            return target
        for template in self._document["paths"]:
            if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), target):
                return template
        raise AssertionError(f"{target} is not described")

    def _resolve(self, node):
        """What a reference stands for."""
        while isinstance(node, dict) and "$ref" in node:
            node = self._resolver.resolve(node["$ref"])[1]
        return node

    def _header_faults(self, response: dict, answer):
        headers = response.get("headers", {})
        for name, header in headers.items():
            header = self._resolve(header)
            value = answer.headers.get(name.lower())
            if value is None:
                if header.get("required"):
                    yield f"{name} is missing"
                continue
            schema = self._resolve(header["schema"])
            typed = int(value) if schema.get("type") == "integer" and value.isdigit() else value
            yield from (f"{name}: {error.message}" for error in self._errors(schema, typed))
        if answer.status in (429, 503) and "problem" in answer.headers.get("content-type", "") and "retry-after" not in answer.headers:
            yield "Retry-After is missing"

    def _body_faults(self, response: dict, answer):
        kind = answer.headers.get("content-type", "")
        content = response.get("content", {})
        if kind not in content:
            yield f"{kind} is not described"
            return
        document = json.loads(answer.body) if kind.endswith("json") else answer.body.decode()
        for error in self._errors(content[kind]["schema"], document):
            yield f"{'/'.join(map(str, error.absolute_path))}: {error.message}"
        if kind == "application/problem+json" and document["status"] != answer.status:
            yield "status differs from the answer's"

    def _errors(self, schema: dict, value):
        validator = jsonschema.Draft202012Validator(schema, resolver=self._resolver, format_checker=self._checker)
        return validator.iter_errors(value)
