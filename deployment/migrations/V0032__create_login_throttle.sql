-- Failed logins of late, by account, by address and by both together: after some the next one has to wait.
CREATE TABLE login_throttle (
  key_sha256 BINARY(32) NOT NULL COMMENT 'Of the kind and the account, the address, or both',
  failures INT NOT NULL,
  last_at_us BIGINT NOT NULL,
  next_at_us BIGINT NOT NULL COMMENT 'No attempt counts before',
  PRIMARY KEY (key_sha256),
  KEY last (last_at_us)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
