#include "services/common/metrics/metrics.h"

#include <prometheus/text_serializer.h>

#include <utility>

#include "services/common/base/version.h"
#include "services/common/metrics/process_metrics.h"

namespace postern::metrics {
namespace {

void SetLabels(const Labels& labels, prometheus::ClientMetric& metric) {
  for (const auto& [name, value] : labels) {
    prometheus::ClientMetric::Label label;
    label.name = name;
    label.value = value;
    metric.label.push_back(std::move(label));
  }
}

prometheus::MetricFamily EmptyFamily(const std::string& name, const std::string& help,
                                     prometheus::MetricType type) {
  prometheus::MetricFamily family;
  family.name = name;
  family.help = help;
  family.type = type;
  return family;
}

}  // namespace

class Registry::HistogramFamily {
 public:
  HistogramFamily(std::string name, std::string help)
      : name_(std::move(name)), help_(std::move(help)) {}

  Histogram& Get(const Labels& labels, std::vector<double> upper_bounds) {
    std::unique_ptr<Histogram>& histogram = series_[labels];
    if (!histogram) histogram = std::make_unique<Histogram>(std::move(upper_bounds));
    return *histogram;
  }
  prometheus::MetricFamily Collect() const {
    auto family = EmptyFamily(name_, help_, prometheus::MetricType::Histogram);
    for (const auto& [labels, histogram] : series_) {
      prometheus::ClientMetric metric = histogram->Collect();
      SetLabels(labels, metric);
      family.metric.push_back(std::move(metric));
    }
    return family;
  }

 private:
  const std::string name_;
  const std::string help_;
  std::map<Labels, std::unique_ptr<Histogram>> series_;
};

class Registry::FunctionFamily {
 public:
  FunctionFamily(std::string name, std::string help)
      : name_(std::move(name)), help_(std::move(help)) {}

  void Set(const Labels& labels, std::function<double()> read) {
    series_[labels] = std::move(read);
  }
  prometheus::MetricFamily Collect() const {
    auto family = EmptyFamily(name_, help_, prometheus::MetricType::Gauge);
    for (const auto& [labels, read] : series_) {
      prometheus::ClientMetric metric;
      metric.gauge.value = read();
      SetLabels(labels, metric);
      family.metric.push_back(std::move(metric));
    }
    return family;
  }

 private:
  const std::string name_;
  const std::string help_;
  std::map<Labels, std::function<double()>> series_;
};

Registry::Registry(const std::string& program) {
  Gauge("postern_build_info", "What was built, always 1.",
        {{"program", program}, {"version", std::string(Version())}, {"compiler", __VERSION__}})
      .Set(1);
}

prometheus::Counter& Registry::Counter(const std::string& name, const std::string& help,
                                       const Labels& labels) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry_).Add(labels);
}

prometheus::Gauge& Registry::Gauge(const std::string& name, const std::string& help,
                                   const Labels& labels) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry_).Add(labels);
}

Histogram& Registry::MakeHistogram(const std::string& name, const std::string& help,
                                   std::vector<double> upper_bounds, const Labels& labels) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<HistogramFamily>& family = histograms_[name];
  if (!family) family = std::make_shared<HistogramFamily>(name, help);
  return family->Get(labels, std::move(upper_bounds));
}

void Registry::GaugeFunction(const std::string& name, const std::string& help,
                             std::function<double()> read, const Labels& labels) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<FunctionFamily>& family = functions_[name];
  if (!family) family = std::make_shared<FunctionFamily>(name, help);
  family->Set(labels, std::move(read));
}

std::string Registry::Serialize() const {
  std::vector<prometheus::MetricFamily> families = registry_.Collect();
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, family] : histograms_) families.push_back(family->Collect());
    for (const auto& [name, family] : functions_) families.push_back(family->Collect());
  }
  for (prometheus::MetricFamily& family : CollectProcessMetrics()) {
    families.push_back(std::move(family));
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace postern::metrics
