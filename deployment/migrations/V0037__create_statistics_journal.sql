-- What transactions did, a row each, written in the transaction itself and folded into `statistics` and `statistics_latency` a second later.
CREATE TABLE statistics_journal (
  id BIGINT NOT NULL AUTO_INCREMENT,
  delta MEDIUMBLOB NOT NULL COMMENT 'Lines of text, see services/statistics/delta.h',
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
