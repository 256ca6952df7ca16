// The bearer tokens that a server accepts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model_store/util/sha256.h"

namespace bitplex {

// Immutable, and so thread-safe. Keeps the SHA-256 of each token, not the token.
class TokenSet {
 public:
  static constexpr size_t kMinTokenBytes = 16;
  static constexpr size_t kMaxTokenBytes = 4096;
  static constexpr size_t kMaxTokens = 1024;

  // One token a line; blank lines and lines that begin with # are skipped, and blanks around a
  // token too. INVALID_ARGUMENT names `file`, such as "--token-file PATH", and the line, and never
  // what is in it.
  static absl::StatusOr<TokenSet> Parse(std::string_view text, const std::string& file);

  // Takes the same time whichever token it is, and whether it is one.
  bool Contains(std::string_view token) const;

  size_t size() const { return digests_.size(); }

 private:
  std::vector<Sha256Digest> digests_;
};

}  // namespace bitplex
