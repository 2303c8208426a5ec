#!/usr/bin/env python3
"""The SQL check finds statements with values in them."""

import unittest

from check_sql import check_text


class CheckSqlTest(unittest.TestCase):
    def test_finds_statements_that_are_put_together(self) -> None:
        for source in ('void F() { db.Execute(StrCat("DELETE FROM t WHERE id = ", id)); }',
                       'void F() { db.Query(kSelect + id, {}, on_row); }',
                       'void F() { connection->Execute(absl::StrFormat(kFormat, id)); }',
                       'void F() { std::string sql = "SELECT * FROM t WHERE id = " + id; db.Query(sql); }'):
            with self.subTest(source):
                self.assertTrue(check_text(source))

    def test_leaves_constants_and_placeholders_alone(self) -> None:
        for source in ('constexpr char kSelect[] = "SELECT a FROM t" " WHERE id = ?"; void F() { db.Query(kSelect, {id}); }',
                       'void F() { db.Execute(shapes_[rows], values); }',
                       'void F() { db.Execute(kInsert, {a + b}); }',
                       'void F() { Log("Select a file"); Query(a + b); }'):
            with self.subTest(source):
                self.assertEqual(check_text(source), [])


if __name__ == "__main__":
    unittest.main()
