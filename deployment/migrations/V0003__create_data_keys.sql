-- Data keys, wrapped by the master key.
CREATE TABLE data_keys (
  id BINARY(16) NOT NULL,
  master_key_version INT NOT NULL,
  wrapped VARBINARY(128) NOT NULL COMMENT 'Nonce, ciphertext, tag',
  created_at_us BIGINT NOT NULL,
  created_for VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'SPIFFE path of the process that asked, such as edge/a',
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
