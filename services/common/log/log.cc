#include "services/common/log/log.h"

#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/daily_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <map>
#include <memory>
#include <vector>

namespace postern::log {
namespace {

constexpr std::size_t kQueueLines = 8192;
constexpr std::uint16_t kKeptDays = 7;
constexpr std::chrono::seconds kFlushInterval{1};
// A longer value is cut: a line is for reading.
constexpr std::size_t kValueMax = 1024;

// What Start made and Stop ends.
struct State {
  std::string program;
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<spdlog::logger> logger;
};

std::atomic<Level> g_level{Level::kInfo};
// Null before Start and after Stop: lines go straight to stderr then.
std::atomic<State*> g_state{nullptr};

std::string_view LevelName(Level level) {
  switch (level) {
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info";
    case Level::kWarn:
      return "warn";
    case Level::kError:
      return "error";
  }
  return "error";
}

spdlog::level::level_enum ToSpdlog(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarn:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

absl::Status ParseLevel(const std::string& name, Level* level) {
  for (const Level candidate : {Level::kDebug, Level::kInfo, Level::kWarn, Level::kError}) {
    if (LevelName(candidate) == name) {
      *level = candidate;
      return absl::OkStatus();
    }
  }
  return absl::InvalidArgumentError("log.level: not one of debug, info, warn, error");
}

bool IsBare(char c) { return c > ' ' && c < 0x7F && c != '"' && c != '=' && c != '\\'; }

void AppendEscaped(std::string& out, char c) {
  static constexpr char kDigits[] = "0123456789abcdef";
  const auto byte = static_cast<std::uint8_t>(c);
  switch (c) {
    case '"':
    case '\\':
      out += '\\';
      out += c;
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      if (byte >= 0x20 && byte < 0x7F) {
        out += c;
      } else {
        out += "\\x";
        out += kDigits[byte >> 4];
        out += kDigits[byte & 0x0F];
      }
  }
}

}  // namespace

absl::Status Start(const Settings& settings) {
  Level level = Level::kInfo;
  if (absl::Status status = ParseLevel(settings.level, &level); !status.ok()) return status;
  auto state = std::make_unique<State>();
  state->program = settings.program;
  try {
    std::vector<spdlog::sink_ptr> sinks;
    sinks.push_back(std::make_shared<spdlog::sinks::stderr_sink_mt>());
    if (!settings.folder.empty()) {
      sinks.push_back(std::make_shared<spdlog::sinks::daily_file_sink_mt>(
          StrCat(settings.folder, "/", settings.program, ".log"), 0, 0, false, kKeptDays));
    }
    state->pool = std::make_shared<spdlog::details::thread_pool>(kQueueLines, 1);
    state->logger = std::make_shared<spdlog::async_logger>(
        settings.program, sinks.begin(), sinks.end(), state->pool,
        spdlog::async_overflow_policy::overrun_oldest);
    state->logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %v", spdlog::pattern_time_type::utc);
    state->logger->set_level(spdlog::level::trace);
    state->logger->flush_on(spdlog::level::warn);
    spdlog::register_logger(state->logger);
    spdlog::flush_every(kFlushInterval);
  } catch (const std::exception& error) {
    return absl::FailedPreconditionError(StrCat("cannot start the log: ", error.what()));
  }
  g_level.store(level);
  g_state.store(state.release());
  return absl::OkStatus();
}

void Stop() {
  const std::unique_ptr<State> state(g_state.exchange(nullptr));
  if (state == nullptr) return;
  if (const std::size_t dropped = state->pool->overrun_counter(); dropped > 0) {
    state->logger->log(spdlog::level::warn,
                       StrCat("warn ", state->program, " log_lines_dropped count=", dropped));
  }
  spdlog::shutdown();
  // The last owner of the pool writes what is queued and joins its thread.
  state->logger.reset();
  state->pool.reset();
}

void SetLevel(Level level) { g_level.store(level, std::memory_order_relaxed); }

void SetLevel(const std::string& name) {
  Level level = Level::kInfo;
  if (ParseLevel(name, &level).ok()) SetLevel(level);
}

bool Enabled(Level level) { return level >= g_level.load(std::memory_order_relaxed); }

void Write(Level level, std::string_view event, std::string_view fields) {
  if (!Enabled(level)) return;
  State* const state = g_state.load(std::memory_order_acquire);
  if (state == nullptr) {
    std::fprintf(stderr, "%s\n", StrCat(LevelName(level), " ", event, fields).c_str());
    return;
  }
  const std::string line = StrCat(LevelName(level), " ", state->program, " ", event, fields);
  state->logger->log(ToSpdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

void AppendField(std::string& out, std::string_view key, std::string_view value) {
  out += ' ';
  out += key;
  out += '=';
  const bool cut = value.size() > kValueMax;
  if (cut) value = value.substr(0, kValueMax);
  if (!cut && !value.empty() && std::all_of(value.begin(), value.end(), IsBare)) {
    out += value;
    return;
  }
  out += '"';
  for (const char c : value) AppendEscaped(out, c);
  if (cut) out += "...";
  out += '"';
}

bool RateLimit::Allow(std::int64_t* suppressed) {
  const std::int64_t now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                                  std::chrono::steady_clock::now().time_since_epoch())
                                  .count();
  std::int64_t next_ms = next_ms_.load(std::memory_order_relaxed);
  if (now_ms < next_ms || !next_ms_.compare_exchange_strong(next_ms, now_ms + interval_ms_)) {
    suppressed_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  const std::int64_t count = suppressed_.exchange(0);
  if (suppressed != nullptr) *suppressed = count;
  return true;
}

}  // namespace postern::log
