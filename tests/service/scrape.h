// What a server's metrics port answers.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "server/app/server.h"

namespace bitplex::test {

// As OptionsFor, with a metrics port.
ServerOptions WithMetrics(const std::string& store);

struct HttpReply {
  int status = 0;  // 0: no HTTP came back.
  std::string body;
};

// To 127.0.0.1.
HttpReply HttpRequest(int port, const std::string& method, const std::string& path);

using Labels = std::map<std::string, std::string>;

// Prometheus's text format, taken apart.
struct Scrape {
  struct Sample {
    std::string name;
    Labels labels;
    double value = 0;
  };

  std::map<std::string, std::string> types;  // By metric.
  std::vector<Sample> samples;

  // The one sample with exactly these labels; a test failure and -1 when there is none.
  double Value(const std::string& name, const Labels& labels = {}) const;
  // Of all samples with that name.
  double Sum(const std::string& name) const;
};

// Aborts when the port does not answer with status 200.
Scrape ScrapeMetrics(const Server& server);

}  // namespace bitplex::test
