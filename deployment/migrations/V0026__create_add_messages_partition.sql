-- Cuts the next partition off the catch-all one of `messages`; the server may call it, and change the schema in no other way.
CREATE PROCEDURE add_messages_partition(IN from_hour BIGINT, IN hours INT)
COMMENT 'Hours since the Unix epoch; the name says the same: p<year><month><day><hour>_<hours>'
MODIFIES SQL DATA
BEGIN
  -- Waits no longer for a transaction that uses the table: everybody else waits behind.
  SET SESSION lock_wait_timeout = 5;
  SET @postern_statement = CONCAT(
    'ALTER TABLE messages REORGANIZE PARTITION p_rest INTO (PARTITION ',
    DATE_FORMAT(FROM_UNIXTIME(from_hour * 3600), 'p%Y%m%d%H'), '_', hours, ' VALUES LESS THAN (x''',
    LPAD(HEX((from_hour + hours) * 3600000), 12, '0'), REPEAT('0', 20),
    '''), PARTITION p_rest VALUES LESS THAN (MAXVALUE))');
  PREPARE postern_ddl FROM @postern_statement;
  EXECUTE postern_ddl;
  DEALLOCATE PREPARE postern_ddl;
END
