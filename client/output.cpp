#include "client/output.h"

#include <nlohmann/json.hpp>
#include <ostream>
#include <string>

#include "client/text.h"

namespace bitplex {

int Fail(std::ostream& err, const absl::Status& status) {
  err << "bitplex-client: " << Printable(status.ToString()) << '\n';
  return kExitFailed;
}

void PrintJson(std::ostream& out, const nlohmann::ordered_json& document) {
  out << document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
}

nlohmann::ordered_json ErrorJson(const absl::Status& status) {
  return {{"code", absl::StatusCodeToString(status.code())},
          {"message", std::string(status.message())}};
}

}  // namespace bitplex
