-- Tokens that are good for one certificate each.
CREATE TABLE enrolment_tokens (
  token_sha256 BINARY(32) NOT NULL,
  profile VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  hosts VARCHAR(4096) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'Separated by blanks',
  life_s BIGINT NOT NULL,
  created_by VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'SPIFFE path',
  created_at_us BIGINT NOT NULL,
  expires_at_us BIGINT NOT NULL,
  used_at_us BIGINT NOT NULL DEFAULT 0,
  serial VARBINARY(20) NULL COMMENT 'Of the certificate that it was used for',
  PRIMARY KEY (token_sha256),
  KEY expires (expires_at_us)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
