#!/usr/bin/env python3
"""The range check finds loops over what a temporary holds."""

import unittest

from check_ranges import check_text


class CheckRangesTest(unittest.TestCase):
    def test_finds_what_a_temporary_holds(self) -> None:
        for source in ("void F() { for (auto& x : Find()->items) Use(x); }",
                       "void F() { for (const auto& [a, b] : FilterOf(query)->states) { Use(a); } }",
                       "void F() { for (const Row& row : *List(connection, {1, 2})) Use(row); }",
                       "void F() { for (const Row& row : *store.List()) Use(row); }",
                       "void F() { for (int i = 0; auto& x : pool->Now()->entries()) Use(x); }"):
            with self.subTest(source):
                self.assertTrue(check_text(source))

    def test_leaves_what_stays_alone(self) -> None:
        for source in ("void F() { for (auto& x : found->items) Use(x); }",
                       "void F() { for (auto& x : (*last)->entries()) Use(x); }",
                       "void F() { for (auto& x : Find()) Use(x); }",
                       "void F() { for (auto& x : *message.mutable_clients()) Use(x); }",
                       "void F() { for (int i = 0; i < Find()->size; ++i) Use(i); }",
                       "void F() { for (auto& x : items) Find()->Use(x); }"):
            with self.subTest(source):
                self.assertEqual(check_text(source), [])


if __name__ == "__main__":
    unittest.main()
