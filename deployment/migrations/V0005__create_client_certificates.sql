-- The certificates that clients may show.
CREATE TABLE client_certificates (
  sha256 BINARY(32) NOT NULL COMMENT 'Of the DER',
  client_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  created_at_us BIGINT NOT NULL,
  PRIMARY KEY (sha256),
  KEY client (client_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
