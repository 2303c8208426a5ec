-- Sessions of users. Refresh tokens are kept as hashes: the current one, and the one before it for the time in which it may come again.
CREATE TABLE user_sessions (
  id BINARY(16) NOT NULL COMMENT 'UUIDv4',
  user_id BIGINT NOT NULL,
  refresh_sha256 BINARY(32) NOT NULL,
  previous_sha256 BINARY(32) NOT NULL,
  created_at_us BIGINT NOT NULL,
  refreshed_at_us BIGINT NOT NULL,
  expires_at_us BIGINT NOT NULL COMMENT 'Unless it is refreshed',
  address VARCHAR(45) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  user_agent VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  ended_at_us BIGINT NOT NULL DEFAULT 0,
  revision BIGINT NOT NULL DEFAULT 0 COMMENT 'Of the identities when it was ended',
  PRIMARY KEY (id),
  KEY user (user_id, ended_at_us),
  KEY revision (revision),
  KEY expires (expires_at_us)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
