-- The same of the latencies.
INSERT INTO statistics_latency (seconds, start_s, step, deliveries)
SELECT 86400, start_s DIV 86400 * 86400 AS day_s, step, SUM(deliveries)
FROM statistics_latency
WHERE seconds = 3600
GROUP BY day_s, step
ON DUPLICATE KEY UPDATE deliveries = VALUES(deliveries)
