-- Keys that sign access tokens, wrapped by the master key.
CREATE TABLE token_keys (
  id BINARY(16) NOT NULL COMMENT 'kid of the tokens',
  master_key_version INT NOT NULL,
  wrapped VARBINARY(128) NOT NULL COMMENT 'Nonce, ciphertext, tag',
  created_at_us BIGINT NOT NULL,
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
