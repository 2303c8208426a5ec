#pragma once

#include <string>
#include <vector>

#include "services/common/rpc/authorization.h"

namespace postern::server {

// Who may call what on the main server. A method without a row does not exist for anybody.
rpc::MethodTable MakeMethodTable();

// Full names of the services whose health follows the database.
std::vector<std::string> HealthComponents();

}  // namespace postern::server
