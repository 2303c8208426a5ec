-- Drops one partition of `messages`, named as add_messages_partition names it.
CREATE PROCEDURE drop_messages_partition(IN from_hour BIGINT, IN hours INT)
MODIFIES SQL DATA
BEGIN
  SET SESSION lock_wait_timeout = 5;
  SET @postern_statement = CONCAT(
    'ALTER TABLE messages DROP PARTITION ',
    DATE_FORMAT(FROM_UNIXTIME(from_hour * 3600), 'p%Y%m%d%H'), '_', hours);
  PREPARE postern_ddl FROM @postern_statement;
  EXECUTE postern_ddl;
  DEALLOCATE PREPARE postern_ddl;
END
