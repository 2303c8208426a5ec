#include <clocale>

#include "services/common/app/process.h"
#include "services/common/db/connection.h"
#include "services/ctl/run.h"

int main(int argc, char** argv) {
  // For the width of characters in tables.
  std::setlocale(LC_CTYPE, "C.UTF-8");
  postern::db::InitializeDriver();
  postern::app::EndProcess(postern::ctl::Run({argv + 1, argv + argc}, postern::ctl::SystemWorld()));
}
