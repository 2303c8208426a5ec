#include <clocale>
#include <cstdlib>
#include <iostream>

#include "services/common/db/connection.h"
#include "services/ctl/run.h"

int main(int argc, char** argv) {
  // For the width of characters in tables.
  std::setlocale(LC_CTYPE, "C.UTF-8");
  postern::db::InitializeDriver();
  const int exit_code = postern::ctl::Run({argv + 1, argv + argc}, postern::ctl::SystemWorld());
  std::cout.flush();
  std::cerr.flush();
  // gRPC's threads may still close connections after its last object is gone. A return would free
  // OpenSSL's state under them.
  std::_Exit(exit_code);
}
