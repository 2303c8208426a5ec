-- Sums by client over a time read one piece of the table; what is of one client comes by its own index.
ALTER TABLE statistics
  DROP PRIMARY KEY,
  ADD PRIMARY KEY (seconds, start_s, client_id),
  DROP KEY by_time,
  ADD KEY by_client (client_id, seconds, start_s)
