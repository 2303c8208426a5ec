#include "services/common/db/error_map.h"

#include "services/common/base/strings.h"

namespace postern::db {
namespace {

// Errors of the client library, the connection among them (CR_MIN_ERROR to CR_MAX_ERROR).
bool IsClientError(int number) { return number >= 2000 && number < 3000; }

absl::StatusCode CodeOf(int number) {
  switch (number) {
    case 1062:  // ER_DUP_ENTRY
      return absl::StatusCode::kAlreadyExists;
    case 1020:  // ER_CHECKREAD
    case 1205:  // ER_LOCK_WAIT_TIMEOUT
    case 1213:  // ER_LOCK_DEADLOCK
      return absl::StatusCode::kAborted;
    case 1969:  // ER_STATEMENT_TIMEOUT (MariaDB)
    case 3024:  // ER_QUERY_TIMEOUT (MySQL)
      return absl::StatusCode::kDeadlineExceeded;
    case 1048:  // ER_BAD_NULL_ERROR
    case 1264:  // ER_WARN_DATA_OUT_OF_RANGE
    case 1265:  // WARN_DATA_TRUNCATED
    case 1267:  // ER_CANT_AGGREGATE_2COLLATIONS: a column is asked for what it cannot hold
    case 1292:  // ER_TRUNCATED_WRONG_VALUE
    case 1300:  // ER_INVALID_CHARACTER_STRING
    case 1366:  // ER_TRUNCATED_WRONG_VALUE_FOR_FIELD
    case 1406:  // ER_DATA_TOO_LONG
    case 1526:  // ER_NO_PARTITION_FOR_GIVEN_VALUE
    case 1690:  // ER_DATA_OUT_OF_RANGE
    case 4025:  // ER_CONSTRAINT_FAILED
      return absl::StatusCode::kInvalidArgument;
    case 1044:  // ER_DBACCESS_DENIED_ERROR
    case 1045:  // ER_ACCESS_DENIED_ERROR
    case 1142:  // ER_TABLEACCESS_DENIED_ERROR
    case 1143:  // ER_COLUMNACCESS_DENIED_ERROR
    case 1227:  // ER_SPECIFIC_ACCESS_DENIED_ERROR
    case 1370:  // ER_PROCACCESS_DENIED_ERROR
    case 1698:  // ER_ACCESS_DENIED_NO_PASSWORD_ERROR
    case 4151:  // ER_ACCOUNT_HAS_BEEN_LOCKED
      return absl::StatusCode::kPermissionDenied;
    case 1049:  // ER_BAD_DB_ERROR
    case 1054:  // ER_BAD_FIELD_ERROR
    case 1146:  // ER_NO_SUCH_TABLE
      return absl::StatusCode::kFailedPrecondition;
    case 1021:  // ER_DISK_FULL
    case 1026:  // ER_ERROR_ON_WRITE
    case 1028:  // ER_FILSORT_ABORT
    case 1040:  // ER_CON_COUNT_ERROR
    case 1041:  // ER_OUT_OF_RESOURCES
    case 1053:  // ER_SERVER_SHUTDOWN
    case 1114:  // ER_RECORD_FILE_FULL
    case 1203:  // ER_TOO_MANY_USER_CONNECTIONS
    case 1290:  // ER_OPTION_PREVENTS_STATEMENT, such as --read-only
    case 1317:  // ER_QUERY_INTERRUPTED
    case 1792:  // ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
    case 1836:  // ER_READ_ONLY_MODE
    case 1927:  // ER_CONNECTION_KILLED
      return absl::StatusCode::kUnavailable;
    default:
      return BreaksConnection(number) ? absl::StatusCode::kUnavailable
                                      : absl::StatusCode::kInternal;
  }
}

}  // namespace

bool BreaksConnection(int number) {
  switch (number) {
    case 1053:  // ER_SERVER_SHUTDOWN
    case 1152:  // ER_ABORTING_CONNECTION
    case 1153:  // ER_NET_PACKET_TOO_LARGE
    case 1158:  // ER_NET_READ_ERROR
    case 1159:  // ER_NET_READ_INTERRUPTED
    case 1160:  // ER_NET_ERROR_ON_WRITE
    case 1161:  // ER_NET_WRITE_INTERRUPTED
    case 1184:  // ER_NEW_ABORTING_CONNECTION
    case 1927:  // ER_CONNECTION_KILLED
      return true;
    default:
      return IsClientError(number);
  }
}

absl::Status StatusOfError(std::string_view doing, int number, std::string_view sqlstate) {
  return absl::Status(CodeOf(number),
                      StrCat("database: ", doing, ": error ", number, " (", sqlstate, ")"));
}

}  // namespace postern::db
