-- One row: the revision of the trust (issuing CAs, revocations, CRLs). Raised in the transaction of each change.
CREATE TABLE trust_revision (
  only_row TINYINT NOT NULL DEFAULT 1 CHECK (only_row = 1),
  revision BIGINT NOT NULL,
  PRIMARY KEY (only_row)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
