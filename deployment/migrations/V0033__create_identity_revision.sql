-- One row: the revision of the identities (users, links, ended sessions, token keys). Raised in the transaction of each change.
CREATE TABLE identity_revision (
  only_row TINYINT NOT NULL DEFAULT 1 CHECK (only_row = 1),
  revision BIGINT NOT NULL,
  PRIMARY KEY (only_row)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
