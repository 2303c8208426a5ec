-- Every security-relevant act, hash-chained. Rows are added and never changed; docs/audit.md says what a row's hash is made of.
CREATE TABLE audit_log (
  sequence BIGINT NOT NULL COMMENT 'From 1, without gaps',
  at_us BIGINT NOT NULL COMMENT 'By the clock of the server that added the row',
  actor VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'SPIFFE path of the caller, such as operator/alice',
  action VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'Such as client.create',
  target VARCHAR(256) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'Such as client/acme',
  outcome TINYINT NOT NULL COMMENT '1 done, 2 refused',
  details VARCHAR(4096) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'A JSON object of strings, names sorted',
  hash BINARY(32) NOT NULL COMMENT 'SHA-256 of the hash of the row before and this row',
  PRIMARY KEY (sequence),
  KEY actor (actor),
  KEY action (action),
  KEY target (target)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
