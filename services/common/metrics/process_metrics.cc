#include "services/common/metrics/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>

namespace postern::metrics {
namespace {

// The fields of /proc/self/stat that matter here (proc(5)).
struct ProcessStat {
  double cpu_ticks = 0;
  double threads = 0;
  double start_ticks = 0;  // After the system's start.
  double virtual_bytes = 0;
  double resident_pages = 0;
};

std::optional<ProcessStat> ReadStat() {
  std::ifstream file("/proc/self/stat");
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  // The command's name may hold anything: fields are counted from the parenthesis that ends it.
  const std::size_t end = text.rfind(')');
  if (end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(end + 1));
  std::string skipped;
  double system_ticks = 0;
  ProcessStat stat;
  for (int field = 3; field <= 13; ++field) fields >> skipped;
  fields >> stat.cpu_ticks >> system_ticks;
  for (int field = 16; field <= 19; ++field) fields >> skipped;
  fields >> stat.threads >> skipped >> stat.start_ticks >> stat.virtual_bytes >>
      stat.resident_pages;
  if (!fields) return std::nullopt;
  stat.cpu_ticks += system_ticks;
  return stat;
}

std::optional<double> BootTimeSeconds() {
  std::ifstream file("/proc/stat");
  std::string word;
  double seconds = 0;
  while (file >> word) {
    if (word == "btime" && file >> seconds) return seconds;
  }
  return std::nullopt;
}

std::optional<double> OpenFiles() {
  std::error_code error;
  const std::filesystem::directory_iterator files("/proc/self/fd", error);
  if (error) return std::nullopt;
  // One of them is the listing itself.
  return static_cast<double>(std::distance(begin(files), end(files)) - 1);
}

class Families {
 public:
  void Add(const char* name, const char* help, prometheus::MetricType type, double value) {
    prometheus::ClientMetric metric;
    if (type == prometheus::MetricType::Counter) {
      metric.counter.value = value;
    } else {
      metric.gauge.value = value;
    }
    prometheus::MetricFamily family;
    family.name = name;
    family.help = help;
    family.type = type;
    family.metric.push_back(metric);
    families_.push_back(std::move(family));
  }
  std::vector<prometheus::MetricFamily> Take() { return std::move(families_); }

 private:
  std::vector<prometheus::MetricFamily> families_;
};

}  // namespace

std::vector<prometheus::MetricFamily> CollectProcessMetrics() {
  constexpr auto kCounter = prometheus::MetricType::Counter;
  constexpr auto kGauge = prometheus::MetricType::Gauge;
  static const auto ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
  static const auto page_bytes = static_cast<double>(sysconf(_SC_PAGESIZE));
  static const std::optional<double> boot_time = BootTimeSeconds();

  Families families;
  if (const auto stat = ReadStat()) {
    families.Add("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.",
                 kCounter, stat->cpu_ticks / ticks_per_second);
    families.Add("process_virtual_memory_bytes", "Virtual memory size in bytes.", kGauge,
                 stat->virtual_bytes);
    families.Add("process_resident_memory_bytes", "Resident memory size in bytes.", kGauge,
                 stat->resident_pages * page_bytes);
    families.Add("process_threads", "Number of OS threads in the process.", kGauge, stat->threads);
    if (boot_time) {
      families.Add("process_start_time_seconds",
                   "Start time of the process since the Unix epoch in seconds.", kGauge,
                   *boot_time + stat->start_ticks / ticks_per_second);
    }
  }
  if (const auto open = OpenFiles()) {
    families.Add("process_open_fds", "Number of open file descriptors.", kGauge, *open);
  }
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    families.Add("process_max_fds", "Maximum number of open file descriptors.", kGauge,
                 static_cast<double>(files.rlim_cur));
  }
  return families.Take();
}

}  // namespace postern::metrics
