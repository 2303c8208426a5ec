-- Delivered messages: append-only, partitioned by time on the id, whose first 48 bits are milliseconds. See docs/adr/0003-two-tables.md.
CREATE TABLE messages (
  id BINARY(16) NOT NULL COMMENT 'UUIDv7',
  client_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  domain VARCHAR(253) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  client_ref VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  number_hash BINARY(32) NOT NULL COMMENT 'HMAC-SHA-256 under the index key',
  number_masked VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  data_key_id BINARY(16) NOT NULL,
  encrypted_body VARBINARY(4100) NOT NULL,
  encrypted_number VARBINARY(64) NOT NULL,
  metadata_json VARCHAR(2048) NOT NULL DEFAULT '',
  traceparent VARCHAR(55) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  epoch INT NOT NULL,
  attempts INT NOT NULL COMMENT 'Failed ones of this epoch and the one that succeeded',
  reason VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' COMMENT 'Of the last failed attempt',
  accepted_at_us BIGINT NOT NULL,
  durable_at_us BIGINT NOT NULL,
  registered_at_us BIGINT NOT NULL,
  delivered_at_us BIGINT NOT NULL,
  PRIMARY KEY (id),
  KEY client (client_id),
  KEY number (number_hash),
  KEY ref (client_ref)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
PARTITION BY RANGE COLUMNS (id) (PARTITION p_rest VALUES LESS THAN (MAXVALUE))
