#include "names.hpp"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>

namespace arizuko::agents {
namespace {

constexpr std::size_t readable_bytes = 35;
constexpr std::size_t hash_digits = 16;
constexpr std::size_t most_label_bytes = 63;

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_alphanumeric(char c) { return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z'); }

/// Lower case, digits and single dashes.
std::string readable(std::string_view name) {
  std::string out;
  for (char c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
    if (is_lower_or_digit(c)) {
      out += c;
    } else if (!out.empty() && out.back() != '-') {
      out += '-';
    }
  }
  out.resize(std::min(out.size(), readable_bytes));
  while (!out.empty() && out.back() == '-') out.pop_back();
  return out;
}

}  // namespace

std::string digest(std::string_view text, std::size_t digits) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> hash{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash.data());
  std::string out;
  for (const unsigned char byte : hash) out += fmt::format("{:02x}", byte);
  out.resize(digits);
  return out;
}

std::string job_name(std::string_view instance, std::string_view container_name) {
  // A slash is in neither name, so no two pairs hash the same text.
  const auto hash = digest(fmt::format("{}/{}", instance, container_name), hash_digits);
  const auto begin = readable(container_name);
  return begin.empty() || begin.front() < 'a' ? fmt::format("a-{}-{}", begin, hash)
                                              : fmt::format("{}-{}", begin, hash);
}

std::string label_value(std::string_view text) {
  const bool fits = !text.empty() && text.size() <= most_label_bytes && is_alphanumeric(text.front()) &&
                    is_alphanumeric(text.back()) && std::ranges::all_of(text, [](char c) {
                      return is_alphanumeric(c) || c == '-' || c == '_' || c == '.';
                    });
  return fits ? std::string{text} : digest(text, 32);
}

std::string instance_selector(std::string_view instance) {
  return fmt::format("app.kubernetes.io/managed-by=arizuko-docker,{}={}", label_instance,
                     label_value(instance));
}

}  // namespace arizuko::agents
