-- People who log in at a portal. Rows stay: the audit log names them.
CREATE TABLE users (
  id BIGINT NOT NULL AUTO_INCREMENT,
  email VARCHAR(120) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'Lower case',
  name VARCHAR(100) NOT NULL,
  role TINYINT NOT NULL COMMENT '1 user, 2 admin',
  state TINYINT NOT NULL COMMENT '1 active, 2 disabled',
  password_hash VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'bcrypt',
  must_change_password TINYINT NOT NULL,
  password_expires_at_us BIGINT NOT NULL DEFAULT 0 COMMENT 'Of a one-time password, 0: never',
  password_changed_at_us BIGINT NOT NULL DEFAULT 0 COMMENT 'By its owner',
  created_at_us BIGINT NOT NULL,
  last_login_at_us BIGINT NOT NULL DEFAULT 0,
  revision BIGINT NOT NULL COMMENT 'Of the identities when this row or its links last changed',
  PRIMARY KEY (id),
  UNIQUE KEY email (email),
  KEY revision (revision)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
