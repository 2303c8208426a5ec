-- The register's schema and accounts. Replace the @…@ first; run as an administrator through the socket. Can be run again.
CREATE DATABASE IF NOT EXISTS postern CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The main server: rows only, no change of the schema.
CREATE USER IF NOT EXISTS 'postern_server'@'%';
ALTER USER 'postern_server'@'%' IDENTIFIED BY '@SERVER_PASSWORD@' REQUIRE X509;
GRANT SELECT, INSERT, UPDATE, DELETE, EXECUTE ON postern.* TO 'postern_server'@'%';

-- posternctl db: changes the schema.
CREATE USER IF NOT EXISTS 'postern_migrator'@'%';
ALTER USER 'postern_migrator'@'%' IDENTIFIED BY '@MIGRATOR_PASSWORD@' REQUIRE X509;
GRANT ALL PRIVILEGES ON postern.* TO 'postern_migrator'@'%';
