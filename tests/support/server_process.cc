#include "tests/support/server_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>

#include "services/common/base/strings.h"

namespace postern::test {
namespace {

constexpr std::chrono::seconds kStartLimit{30};
constexpr std::chrono::milliseconds kPollInterval{10};

}  // namespace

pid_t Spawn(std::vector<std::string> arguments, const std::string& log) {
  std::vector<char*> raw;
  for (std::string& argument : arguments) raw.push_back(argument.data());
  raw.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::dup2(fd, STDOUT_FILENO);
  ::dup2(fd, STDERR_FILENO);
  ::execvp(raw[0], raw.data());
  ::_exit(127);
}

std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

ServerProcess::ServerProcess(std::string log, std::string ready)
    : log_(std::move(log)), ready_(std::move(ready)) {}

absl::Status ServerProcess::Launch(std::vector<std::string> arguments) {
  if (pid_ != 0) return absl::FailedPreconditionError("it runs");
  std::ofstream(log_, std::ios::trunc).close();
  const std::string program = arguments.front();
  const pid_t pid = Spawn(std::move(arguments), log_);
  if (pid < 0) return absl::InternalError("fork failed");
  pid_ = pid;
  return WaitUntilReady(program);
}

absl::Status ServerProcess::WaitUntilReady(const std::string& program) {
  const auto limit = std::chrono::steady_clock::now() + kStartLimit;
  while (std::chrono::steady_clock::now() < limit) {
    if (ReadText(log_).find(ready_) != std::string::npos) return absl::OkStatus();
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = 0;
      return absl::UnavailableError(StrCat(program, " ended: ", ReadText(log_)));
    }
    std::this_thread::sleep_for(kPollInterval);
  }
  Kill();
  return absl::DeadlineExceededError(StrCat(program, " does not get ready: ", ReadText(log_)));
}

void ServerProcess::End(int signal) {
  if (pid_ == 0) return;
  ::kill(pid_, signal);
  ::kill(pid_, SIGCONT);  // A paused one would not hear of it.
  ::waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

void ServerProcess::Stop() { End(SIGTERM); }
void ServerProcess::Kill() { End(SIGKILL); }

void ServerProcess::Pause() {
  if (pid_ != 0) ::kill(pid_, SIGSTOP);
}

void ServerProcess::Continue() {
  if (pid_ != 0) ::kill(pid_, SIGCONT);
}

}  // namespace postern::test
