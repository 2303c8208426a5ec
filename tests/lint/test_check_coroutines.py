#!/usr/bin/env python3
"""The coroutine check finds what it has to find, and nothing else."""

import unittest

from check_coroutines import check_text

_BAD = {
    "aggregate argument": "co_await F(Params{.name = s});",
    "braces as argument": "co_await F({1, s});",
    "braces as a later argument": "co_await F(a, {1, s});",
    "nested aggregate": "co_await F(std::make_unique<P>(P{s}));",
    "capturing lambda": "co_await F([x] { return x; });",
    "capturing lambda by move": "co_await F([x = std::move(y)](int) mutable { Use(x); });",
    "capture of everything": "co_await F([=] { return x; });",
    "lambda in the same expression": "int n = Sync([x] { return x; }) + co_await G();",
    "aggregate around": "co_return P{.n = co_await G()};",
    "aggregate variable": "P p{.n = co_await G()};",
    "aggregate variable by braces and equals": "P p = {co_await G()};",
    "in a condition": "if (auto r = co_await F(P{1}); r) Use(r);",
    "over several lines": "auto r = co_await F(\n    P{\n        1,\n    });",
    "template aggregate": "co_await F(std::array<int, 2>{1, 2});",
    "awaited after an operator": "x = a || co_await F(P{1});",
    "in a loop's condition": "while (co_await F(P{1})) Use();",
}

_GOOD = {
    "named first": "P p{1}; co_await F(std::move(p));",
    "constructor": "co_await F(std::string(s), Ctor(1));",
    "reference captures": "co_await F([&] { Use(); }, [this] { Use(); }, [&a, &b] {});",
    "no captures": "co_await F([](int x) { return P{x}; });",
    "structured binding": "auto [error, size] = co_await F(buffer);",
    "subscript": "values[i] = co_await F(map[key]);",
    "braces in the statement before": "Use(P{1}); co_await G();",
    "braces in the statement after": "co_await G(); Use(P{1});",
    "braces in another branch": "if (x) { P p{1}; } else { co_await G(); } P q{1};",
    "condition and body": "if (co_await G()) { P p{1}; Use(P{2}); }",
    "loop over an answer": "for (auto& c : co_await F()) { Use(P{c}); }",
    "lambda named first": "auto f = [x] { return x; }; co_await F(std::move(f));",
    "await inside a named lambda": "auto f = [&]() -> awaitable<void> { co_await G(); }; P p{1};",
    "comment and string": 'co_await G();  // co_await F(P{1})\nUse("co_await F(P{1})");',
    "switch": "switch (co_await G()) { case 1: Use(P{1}); break; default: break; }",
    "initialiser list of a constructor": "C::C() : a_{1}, b_{2} { Start(); } awaitable<void> D() { co_await G(); }",
    "class around": "struct S : Base { int a{1}; awaitable<void> F() { co_await G(); } int b{2}; };",
}


class CheckCoroutinesTest(unittest.TestCase):
    def test_finds_what_the_compiler_breaks(self) -> None:
        for name, statement in _BAD.items():
            with self.subTest(name):
                self.assertTrue(check_text(f"awaitable<void> Function() {{ {statement} }}"), statement)

    def test_leaves_good_code_alone(self) -> None:
        for name, statement in _GOOD.items():
            with self.subTest(name):
                source = statement if "awaitable<void> D" in statement or statement.startswith("struct") \
                    else f"awaitable<void> Function() {{ {statement} }}"
                self.assertEqual(check_text(source), [])

    def test_default_arguments(self) -> None:
        self.assertTrue(check_text("asio::awaitable<void> Call(int a, P p = P());"))
        self.assertTrue(check_text("awaitable<absl::StatusOr<int>> C::Call(int a = 1) { co_return a; }"))
        self.assertTrue(check_text("auto f = [](int a = 1) -> awaitable<void> { co_return; };"))
        self.assertFalse(check_text("asio::awaitable<void> Call(int a, P p);"))
        self.assertFalse(check_text("void Call(int a = 1); awaitable<void> Other(int a);"))

    def test_capturing_lambda_called_at_once(self) -> None:
        self.assertTrue(check_text("void F() { co_spawn(io, [x]() -> awaitable<void> { co_await G(x); }(), detached); }"))
        self.assertFalse(check_text("void F() { co_spawn(io, []() -> awaitable<void> { co_await G(); }(), detached); }"))
        self.assertFalse(check_text("void F() { Use([x] { return x; }()); }"))

    def test_lines_are_those_of_the_file(self) -> None:
        faults = check_text("awaitable<void> F() {\n  int a = 1;\n  co_await G(P{a});\n}\n")
        self.assertEqual([line for line, _ in faults], [3])


if __name__ == "__main__":
    unittest.main()
