#include "server/security/token_set.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace bitplex {
namespace {

// RFC 6750 names these; a header can carry no others safely.
bool IsTokenCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         std::string_view("-._~+/=").find(c) != std::string_view::npos;
}

// What is wrong with a token, or nothing.
std::string FaultOf(std::string_view token) {
  if (token.size() < TokenSet::kMinTokenBytes) {
    return absl::StrCat("the token has ", token.size(), " characters, fewer than ",
                        TokenSet::kMinTokenBytes, "; make one with: openssl rand -hex 32");
  }
  if (token.size() > TokenSet::kMaxTokenBytes) {
    return absl::StrCat("the token has ", token.size(), " characters, more than ",
                        TokenSet::kMaxTokenBytes, "; make one with: openssl rand -hex 32");
  }
  if (!std::all_of(token.begin(), token.end(), IsTokenCharacter)) {
    return "a token has letters, digits and - . _ ~ + / = only; give each a line of its own, "
           "and each comment too";
  }
  return "";
}

}  // namespace

absl::StatusOr<TokenSet> TokenSet::Parse(std::string_view text, const std::string& file) {
  TokenSet set;
  size_t line_number = 0;
  for (const absl::string_view line :
       absl::StrSplit(absl::string_view(text.data(), text.size()), '\n')) {
    ++line_number;
    const absl::string_view stripped = absl::StripAsciiWhitespace(line);
    if (stripped.empty() || stripped.front() == '#') continue;
    const std::string_view token(stripped.data(), stripped.size());
    if (const std::string fault = FaultOf(token); !fault.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(file, " line ", line_number, ": ", fault));
    }
    if (set.digests_.size() == kMaxTokens) {
      return absl::InvalidArgumentError(
          absl::StrCat(file, ": more than ", kMaxTokens, " tokens; remove those no longer used"));
    }
    const absl::StatusOr<Sha256Digest> digest = Sha256(token);
    if (!digest.ok()) return digest.status();
    set.digests_.push_back(*digest);
  }
  if (set.digests_.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(file,
                     ": no token in it, so nobody could call; write one a line, "
                     "made with: openssl rand -hex 32"));
  }
  return set;
}

bool TokenSet::Contains(std::string_view token) const {
  const absl::StatusOr<Sha256Digest> digest = Sha256(token);
  if (!digest.ok()) return false;
  bool found = false;
  // No early end: time must not tell which one matched.
  for (const Sha256Digest& known : digests_)
    found |= CRYPTO_memcmp(known.data(), digest->data(), known.size()) == 0;
  return found;
}

}  // namespace bitplex
