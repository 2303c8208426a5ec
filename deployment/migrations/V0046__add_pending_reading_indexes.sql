-- For lists of one state of a client, and for what is waiting of some; for the groups of dead letters, from the index alone.
ALTER TABLE pending
  ADD KEY client_state (client_id, state),
  ADD KEY reasons (state, reason, client_id, accepted_at_us)
