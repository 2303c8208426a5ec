-- Revision 0 is "none" to those who watch.
INSERT INTO identity_revision (only_row, revision) VALUES (1, 1)
