-- Which server has which version of the master key in its file: a version that one of them lacks must not wrap.
CREATE TABLE master_key_holders (
  server VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  version INT NOT NULL COMMENT '0: the server lives, whatever it holds',
  seen_at_us BIGINT NOT NULL COMMENT 'By the clock of the database',
  PRIMARY KEY (server, version)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
