-- What happened by client and time. Rows are few: dashboards read them and never the messages.
CREATE TABLE statistics (
  client_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'Empty: all of them together',
  seconds INT NOT NULL COMMENT 'Length of the bucket: 60 or 3600',
  start_s BIGINT NOT NULL COMMENT 'Begin of the bucket',
  accepted BIGINT NOT NULL,
  delivered BIGINT NOT NULL,
  dead BIGINT NOT NULL,
  failed_attempts BIGINT NOT NULL,
  PRIMARY KEY (client_id, seconds, start_s),
  KEY by_time (seconds, start_s)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
