-- A number or a reference of some clients: what other clients have under the same one is not read. Many have the same references.
ALTER TABLE messages
  DROP KEY number,
  DROP KEY ref,
  ADD KEY number (number_hash, client_id),
  ADD KEY ref (client_ref, client_id)
