-- External clients.
CREATE TABLE clients (
  client_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  domain VARCHAR(253) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  state TINYINT NOT NULL COMMENT '1 active, 2 suspended',
  revision BIGINT NOT NULL COMMENT 'Of the directory when this row last changed',
  created_at_us BIGINT NOT NULL,
  PRIMARY KEY (client_id),
  KEY revision (revision)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
