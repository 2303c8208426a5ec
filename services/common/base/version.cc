#include "services/common/base/version.h"

namespace postern {

std::string_view Version() { return POSTERN_VERSION; }

}  // namespace postern
