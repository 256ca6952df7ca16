// What deploy/ says of the metrics, against what a server exports.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "tests/service/scrape.h"
#include "tests/service/serving_fixture.h"
#include "tests/unit/tiny_network.h"

namespace bitplex::test {
namespace {

using ::testing::ContainerEq;
using ::testing::Contains;
using ::testing::Key;

std::string ReadDeploy(const std::string& file) {
  std::ifstream stream(absl::StrCat(BITPLEX_DEPLOY_DIR, "/", file));
  EXPECT_TRUE(stream.is_open()) << file;
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

std::set<std::string> AllMatches(const std::string& text, const std::regex& regex, int group) {
  return {std::sregex_token_iterator(text.begin(), text.end(), regex, group),
          std::sregex_token_iterator()};
}

struct Metric {
  std::string type;
  std::set<std::string> labels;
  bool operator==(const Metric&) const = default;
};

void PrintTo(const Metric& metric, std::ostream* out) {
  *out << metric.type << " {";
  for (const std::string& label : metric.labels) *out << " " << label;
  *out << " }";
}

using Metrics = std::map<std::string, Metric>;

// Rows of the form | `name` | type | `label`, `label` | what |.
Metrics Documented() {
  static const std::regex kRow("\\| `([a-z0-9_]+)` \\| ([a-z]+) \\|([^|]*)\\|[^|]+\\|");
  static const std::regex kLabel("`([a-z_]+)`");
  Metrics metrics;
  std::istringstream lines(ReadDeploy("METRICS.md"));
  for (std::string line; std::getline(lines, line);) {
    std::smatch row;
    if (std::regex_match(line, row, kRow)) {
      metrics[row[1]] = {row[2], AllMatches(row[3], kLabel, 1)};
    }
  }
  return metrics;
}

// The metric that a series belongs to: histograms and summaries have several.
std::string MetricOf(const std::string& series, const std::map<std::string, Metric>& metrics) {
  if (metrics.count(series) > 0) return series;
  return std::regex_replace(series, std::regex("_(bucket|sum|count)$"), "");
}

Metrics Exported() {
  const auto server = StartOrDie(WithMetrics(MakeStore("resnet10-tiny", {8, 7})));
  const Scrape scrape = ScrapeMetrics(*server);
  Metrics metrics;
  for (const auto& [name, type] : scrape.types) metrics[name].type = type;
  for (const Scrape::Sample& sample : scrape.samples) {
    Metric& metric = metrics[MetricOf(sample.name, metrics)];
    for (const auto& [label, value] : sample.labels) {
      if (label != "le" && label != "quantile") metric.labels.insert(label);
    }
  }
  return metrics;
}

TEST(MetricsDocs, TheTableIsWhatAServerExports) {
  EXPECT_THAT(Exported(), ContainerEq(Documented()));
}

class Users : public ::testing::TestWithParam<const char*> {};

TEST_P(Users, SpeakOfMetricsThatThereAre) {
  const std::string text = ReadDeploy(GetParam());
  const Metrics documented = Documented();
  const std::set<std::string> names = AllMatches(text, std::regex("bitplex_[a-z0-9_]+"), 0);
  EXPECT_GT(names.size(), 5u);
  for (const std::string& name : names) {
    EXPECT_THAT(documented, Contains(Key(MetricOf(name, documented))));
  }
}

INSTANTIATE_TEST_SUITE_P(Files, Users,
                         ::testing::Values("monitoring/alerts.yml", "monitoring/alerts_test.yml",
                                           "monitoring/grafana/bitplex.json"),
                         [](const auto& test) {
                           return std::regex_replace(std::string(test.param), std::regex("\\W"),
                                                     "_");
                         });

TEST(MetricsDocs, EveryAlertIsExplainedAndTested) {
  const std::regex alert("alert: (\\w+)");
  const std::set<std::string> alerts = AllMatches(ReadDeploy("monitoring/alerts.yml"), alert, 1);
  EXPECT_EQ(alerts.size(), 5u);
  EXPECT_THAT(AllMatches(ReadDeploy("METRICS.md"), std::regex("\\| `(Bitplex\\w+)` \\|"), 1),
              ContainerEq(alerts));
  EXPECT_THAT(
      AllMatches(ReadDeploy("monitoring/alerts_test.yml"), std::regex("alertname: (\\w+)"), 1),
      ContainerEq(alerts));
}

TEST(MetricsDocs, TheDashboardHasEveryMetricOfOurs) {
  const auto dashboard = nlohmann::json::parse(ReadDeploy("monitoring/grafana/bitplex.json"));
  std::string expressions;
  for (const auto& panel : dashboard.at("panels")) {
    for (const auto& target : panel.at("targets")) {
      absl::StrAppend(&expressions, target.at("expr").get<std::string>(), "\n");
    }
  }
  for (const auto& [name, metric] : Documented()) {
    if (!name.starts_with("bitplex_")) continue;
    EXPECT_THAT(expressions, ::testing::HasSubstr(name));
  }
}

TEST(MetricsDocs, PromtoolFindsNoFaultInWhatIsServed) {
  if (std::system("command -v promtool > /dev/null 2>&1") != 0) {
    GTEST_SKIP() << "promtool is not installed (Debian: prometheus)";
  }
  const auto server = StartOrDie(WithMetrics(MakeStore("resnet10-tiny", {8, 7})));
  const std::string path = TempPath("metrics.txt");
  std::ofstream(path) << HttpRequest(server->metrics_port(), "GET", "/metrics").body;
  FILE* const promtool =
      popen(absl::StrCat("promtool check metrics < '", path, "' 2>&1").c_str(), "r");
  ASSERT_NE(promtool, nullptr);
  std::string line;
  for (int c; (c = std::fgetc(promtool)) != EOF;) {
    if (c != '\n') {
      line += static_cast<char>(c);
      continue;
    }
    // The library's own metrics are not ours to name.
    EXPECT_TRUE(line.starts_with("exposer_")) << line;
    line.clear();
  }
  pclose(promtool);
  std::remove(path.c_str());
}

}  // namespace
}  // namespace bitplex::test
