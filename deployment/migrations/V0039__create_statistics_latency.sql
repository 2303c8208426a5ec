-- Histogram of the time from acceptance to delivery, of all clients together.
CREATE TABLE statistics_latency (
  seconds INT NOT NULL COMMENT 'Length of the bucket of time: 60 or 3600',
  start_s BIGINT NOT NULL COMMENT 'By the time of the delivery',
  step SMALLINT NOT NULL COMMENT 'Of the histogram, see services/statistics/latency.h',
  deliveries BIGINT NOT NULL,
  PRIMARY KEY (seconds, start_s, step)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
