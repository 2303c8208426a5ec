-- Lists by state, newest first: `dead` among millions that wait during an outage. Rows of this table change only while they wait.
ALTER TABLE pending
  ADD KEY newest (state, id)
