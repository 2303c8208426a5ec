-- How many messages were delivered, a row per main server, so that servers do not wait for each other. Raised in the transaction that
-- inserts the messages.
CREATE TABLE ledger_delivered (
  server VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  delivered BIGINT NOT NULL,
  PRIMARY KEY (server)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
