-- Which life of the Redis data was counted last: data from an older backup carry an older mark, and are not counted twice.
ALTER TABLE ledger_accepted
  ADD COLUMN life BIGINT NOT NULL DEFAULT 0 COMMENT 'Mark of the life that last_seen belongs to, 0: not known'
