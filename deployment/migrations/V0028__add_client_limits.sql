-- How much a client may send. All three or none: NULL is the default of each edge.
ALTER TABLE clients
  ADD COLUMN messages_per_second INT NULL COMMENT 'To each edge; 0 no limit',
  ADD COLUMN burst INT NULL COMMENT 'To each edge; 0 those of one second',
  ADD COLUMN messages_per_day BIGINT NULL COMMENT 'To all edges, days in UTC; 0 no limit'
