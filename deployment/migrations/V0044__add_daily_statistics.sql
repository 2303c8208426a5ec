-- Buckets of a day, in UTC, beside those of minutes and hours: a month by client is thirty rows of each, not seven hundred.
INSERT INTO statistics (client_id, seconds, start_s, accepted, delivered, dead, failed_attempts)
SELECT client_id, 86400, start_s DIV 86400 * 86400 AS day_s, SUM(accepted), SUM(delivered), SUM(dead), SUM(failed_attempts)
FROM statistics
WHERE seconds = 3600
GROUP BY client_id, day_s
ON DUPLICATE KEY UPDATE accepted = VALUES(accepted), delivered = VALUES(delivered), dead = VALUES(dead),
  failed_attempts = VALUES(failed_attempts)
