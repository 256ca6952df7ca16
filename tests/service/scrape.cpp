#include "tests/service/scrape.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "tests/service/serving_fixture.h"

namespace bitplex::test {
namespace {

std::string Exchange(int port, const std::string& request) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string reply;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 &&
      send(fd, request.data(), request.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(request.size())) {
    char buffer[4096];
    for (ssize_t count; (count = recv(fd, buffer, sizeof(buffer), 0)) > 0;) {
      reply.append(buffer, static_cast<size_t>(count));
    }
  }
  close(fd);
  return reply;
}

// `text` begins after "{". Label values here have no quotation marks in them.
Labels ParseLabels(const std::string& text) {
  Labels labels;
  size_t at = 0;
  while (at < text.size() && text[at] != '}') {
    const size_t equals = text.find("=\"", at);
    const size_t end = text.find('"', equals + 2);
    labels[text.substr(at, equals - at)] = text.substr(equals + 2, end - equals - 2);
    at = end + 1 + (text[end + 1] == ',' ? 1 : 0);
  }
  return labels;
}

Scrape::Sample ParseSample(const std::string& line) {
  Scrape::Sample sample;
  const size_t brace = line.find('{');
  const size_t space = line.rfind(' ');
  sample.name = line.substr(0, std::min(brace, space));
  if (brace != std::string::npos) sample.labels = ParseLabels(line.substr(brace + 1));
  sample.value = std::strtod(line.c_str() + space, nullptr);
  return sample;
}

}  // namespace

ServerOptions WithMetrics(const std::string& store) {
  ServerOptions options = OptionsFor(store);
  options.metrics_listen = "127.0.0.1:0";
  return options;
}

HttpReply HttpRequest(int port, const std::string& method, const std::string& path) {
  const std::string reply =
      Exchange(port, absl::StrCat(method, " ", path,
                                  " HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Length: 0", "\r\n\r\n"));
  HttpReply out;
  const size_t space = reply.find(' ');
  if (space != std::string::npos) out.status = std::atoi(reply.c_str() + space);
  const size_t end = reply.find("\r\n\r\n");
  if (end != std::string::npos) out.body = reply.substr(end + 4);
  return out;
}

double Scrape::Value(const std::string& name, const Labels& labels) const {
  for (const Sample& sample : samples) {
    if (sample.name == name && sample.labels == labels) return sample.value;
  }
  std::string text;
  for (const auto& [label, value] : labels) absl::StrAppend(&text, label, "=", value, " ");
  ADD_FAILURE() << "there is no " << name << " with " << text;
  return -1;
}

double Scrape::Sum(const std::string& name) const {
  double sum = 0;
  for (const Sample& sample : samples) {
    if (sample.name == name) sum += sample.value;
  }
  return sum;
}

Scrape ScrapeMetrics(const Server& server) {
  const HttpReply reply = HttpRequest(server.metrics_port(), "GET", "/metrics");
  if (reply.status != 200) {
    std::fprintf(stderr, "GET /metrics: status %d\n%s\n", reply.status, reply.body.c_str());
    std::abort();
  }
  Scrape scrape;
  std::istringstream lines(reply.body);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string hash;
    std::string what;
    std::string name;
    words >> hash >> what >> name;
    if (hash == "#" && what == "TYPE") words >> scrape.types[name];
    if (hash != "#" && !hash.empty()) scrape.samples.push_back(ParseSample(line));
  }
  return scrape;
}

}  // namespace bitplex::test
