-- The issuing CAs; their keys lie in the CA folder of the servers.
CREATE TABLE certificate_authorities (
  name VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'services-<n> or clients-<n>',
  state TINYINT NOT NULL COMMENT '1 incoming, 2 active, 3 outgoing, 4 retired',
  certificate BLOB NOT NULL COMMENT 'DER',
  revision BIGINT NOT NULL COMMENT 'Of the trust when this row last changed',
  changed_at_us BIGINT NOT NULL,
  PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
