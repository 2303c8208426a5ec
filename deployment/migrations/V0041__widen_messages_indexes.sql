-- The ids are named: a partitioned table is not read in the order of the ids behind a key unless the key says so, and a page would sort
-- all messages of a client. They cost nothing, being there anyway. A number or a reference comes with its client: what other clients have
-- under the same one is not read.
ALTER TABLE messages
  DROP KEY client,
  DROP KEY number,
  DROP KEY ref,
  ADD KEY client (client_id, id),
  ADD KEY number (number_hash, client_id, id),
  ADD KEY ref (client_ref, client_id, id)
