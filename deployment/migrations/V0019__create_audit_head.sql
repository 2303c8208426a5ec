-- One row: the last row of audit_log. Locked by whoever appends, so that several servers append in turn.
CREATE TABLE audit_head (
  only_row TINYINT NOT NULL DEFAULT 1 CHECK (only_row = 1),
  sequence BIGINT NOT NULL,
  hash BINARY(32) NOT NULL,
  PRIMARY KEY (only_row)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
