-- Before the first row: sequence 0, a hash of 32 zero bytes.
INSERT INTO audit_head (only_row, sequence, hash) VALUES (1, 0, REPEAT(CHAR(0), 32))
