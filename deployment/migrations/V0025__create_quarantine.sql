-- Stored messages whose ciphertext was found altered, truncated or moved. Their rows stay where they are.
CREATE TABLE quarantine (
  id BINARY(16) NOT NULL COMMENT 'Of the message',
  client_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  reason VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  found_at_us BIGINT NOT NULL,
  found_by VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'read or verify',
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
