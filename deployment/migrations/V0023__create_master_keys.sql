-- Versions of the master key: which one wraps data keys, and which are retired. The keys themselves are in the servers' files only.
CREATE TABLE master_keys (
  version INT NOT NULL,
  check_value BINARY(16) NOT NULL COMMENT 'Tells whether two keys are the same, and nothing else about them',
  activated_at_us BIGINT NOT NULL DEFAULT 0 COMMENT 'The highest version with a time wraps',
  retired_at_us BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (version)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
