-- How many messages the queue took, by shard, over the lives of the Redis data: accepted = base + what Redis counts now.
CREATE TABLE ledger_accepted (
  shard TINYINT NOT NULL,
  base BIGINT NOT NULL COMMENT 'Counted in lives of the Redis data that are over',
  last_seen BIGINT NOT NULL COMMENT 'What Redis counted in this life when last asked',
  sampled_at_us BIGINT NOT NULL,
  PRIMARY KEY (shard)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
