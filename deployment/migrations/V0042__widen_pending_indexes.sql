-- As those of `messages`: lists ask both tables alike.
ALTER TABLE pending
  DROP KEY number,
  DROP KEY ref,
  ADD KEY number (number_hash, client_id),
  ADD KEY ref (client_ref, client_id)
