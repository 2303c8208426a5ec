-- Every certificate that was issued, or renewed though issued elsewhere. Rows stay, so that no serial number comes twice.
CREATE TABLE certificates (
  serial VARBINARY(20) NOT NULL COMMENT 'Big-endian, no leading zeros',
  issuer VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  profile VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  sha256 BINARY(32) NOT NULL COMMENT 'Of the DER',
  public_key_sha256 BINARY(32) NOT NULL COMMENT 'Of the SubjectPublicKeyInfo',
  not_after_us BIGINT NOT NULL,
  issued_at_us BIGINT NOT NULL,
  requested_by VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'SPIFFE path, or enrolment',
  renewed_from VARBINARY(20) NULL,
  lineage VARBINARY(20) NOT NULL COMMENT 'Serial number of the first of the line',
  revoked_at_us BIGINT NOT NULL DEFAULT 0,
  revocation_reason TINYINT NOT NULL DEFAULT 0 COMMENT 'RFC 5280, 5.3.1',
  certificate BLOB NOT NULL COMMENT 'DER',
  PRIMARY KEY (serial),
  UNIQUE KEY sha256 (sha256),
  KEY public_key (public_key_sha256),
  KEY name (name, profile),
  KEY lineage (lineage),
  KEY ends (not_after_us, serial),
  KEY issuer (issuer, not_after_us)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
