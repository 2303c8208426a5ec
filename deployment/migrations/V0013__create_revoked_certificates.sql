-- What the CRLs hold, by issuing CA; also serial numbers that `certificates` does not know.
CREATE TABLE revoked_certificates (
  issuer VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  serial VARBINARY(20) NOT NULL COMMENT 'Big-endian, no leading zeros',
  revoked_at_us BIGINT NOT NULL,
  reason TINYINT NOT NULL COMMENT 'RFC 5280, 5.3.1',
  not_after_us BIGINT NOT NULL COMMENT 'End of its life, or of its CA''s where that is not known',
  revision BIGINT NOT NULL COMMENT 'Of the trust when it was revoked',
  PRIMARY KEY (issuer, serial),
  KEY revision (revision)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
