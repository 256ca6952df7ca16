// What deploy/ says of the metrics, against what a server exports.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
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

bool InWord(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// The words that begin with `start`, wherever `before` comes right before them.
std::set<std::string> WordsAfter(const std::string& text, const std::string& before,
                                 const std::string& start) {
  std::set<std::string> words;
  const std::string both = before + start;
  for (size_t at = 0; (at = text.find(both, at)) != std::string::npos; at += both.size()) {
    const auto first = text.begin() + static_cast<std::ptrdiff_t>(at + before.size());
    const auto last = std::find_if_not(first, text.end(), InWord);
    if (first != last) words.insert(std::string(first, last));
  }
  return words;
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
  Metrics metrics;
  for (const absl::string_view line : absl::StrSplit(ReadDeploy("METRICS.md"), '\n')) {
    const std::vector<std::string> cells = absl::StrSplit(line, '|');
    if (cells.size() != 6) continue;
    const std::set<std::string> names = WordsAfter(cells[1], " `", "");
    if (names.empty()) continue;  // The head.
    EXPECT_FALSE(absl::StripAsciiWhitespace(cells[4]).empty()) << line;
    metrics[*names.begin()] = {std::string(absl::StripAsciiWhitespace(cells[2])),
                               WordsAfter(cells[3], " `", "")};
  }
  return metrics;
}

// The metric that a series belongs to: histograms and summaries have several.
std::string MetricOf(const std::string& series, const std::map<std::string, Metric>& metrics) {
  if (metrics.count(series) > 0) return series;
  for (const char* suffix : {"_bucket", "_sum", "_count"}) {
    absl::string_view name = series;
    if (absl::ConsumeSuffix(&name, suffix)) return std::string(name);
  }
  return series;
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
  const std::set<std::string> names = WordsAfter(text, "", "bitplex_");
  EXPECT_GT(names.size(), 5u);
  for (const std::string& name : names) {
    EXPECT_THAT(documented, Contains(Key(MetricOf(name, documented))));
  }
}

INSTANTIATE_TEST_SUITE_P(Files, Users,
                         ::testing::Values("monitoring/alerts.yml", "monitoring/alerts_test.yml",
                                           "monitoring/grafana/bitplex.json"),
                         [](const auto& test) {
                           return absl::StrReplaceAll(test.param, {{"/", "_"}, {".", "_"}});
                         });

TEST(MetricsDocs, EveryAlertIsExplainedAndTested) {
  const std::set<std::string> alerts =
      WordsAfter(ReadDeploy("monitoring/alerts.yml"), "alert: ", "");
  EXPECT_EQ(alerts.size(), 6u);
  EXPECT_THAT(WordsAfter(ReadDeploy("METRICS.md"), "\n| `", "Bitplex"), ContainerEq(alerts));
  EXPECT_THAT(WordsAfter(ReadDeploy("monitoring/alerts_test.yml"), "alertname: ", ""),
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
