#include "services/ctl/password_input.h"

#include <termios.h>
#include <unistd.h>

#include <iostream>

#include "absl/status/status.h"

namespace postern::ctl {
namespace {

// Keeps a terminal from showing what is typed.
class Silence {
 public:
  Silence() : is_terminal_(tcgetattr(STDIN_FILENO, &before_) == 0) {
    if (!is_terminal_) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  ~Silence() {
    if (is_terminal_) tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  bool is_terminal() const { return is_terminal_; }

 private:
  termios before_{};
  const bool is_terminal_;
};

}  // namespace

absl::StatusOr<std::string> ReadPassword(std::ostream& err) {
  const Silence silence;
  if (silence.is_terminal()) err << "Password: " << std::flush;
  std::string line;
  const bool read = static_cast<bool>(std::getline(std::cin, line));
  if (silence.is_terminal()) err << '\n';
  if (!read || line.empty()) return absl::InvalidArgumentError("no password on standard input");
  return line;
}

}  // namespace postern::ctl
