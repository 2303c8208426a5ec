-- Why the last attempt failed; `reason` says the same until the message is dead, and then why it is.
ALTER TABLE pending
  ADD COLUMN last_error VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT ''
    COMMENT 'Of the last failed attempt of this epoch'
