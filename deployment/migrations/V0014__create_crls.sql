-- The newest CRL of each issuing CA. Number and time never go back.
CREATE TABLE crls (
  issuer VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  number BIGINT NOT NULL,
  this_update_s BIGINT NOT NULL,
  next_update_s BIGINT NOT NULL,
  entries BIGINT NOT NULL,
  holds_revision BIGINT NOT NULL COMMENT 'It holds every revocation up to this revision of the trust',
  revision BIGINT NOT NULL COMMENT 'Of the trust when it was published',
  crl LONGBLOB NOT NULL COMMENT 'DER',
  PRIMARY KEY (issuer)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
