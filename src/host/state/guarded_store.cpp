#include "arizuko/host/state/guarded_store.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fmt/format.h>
#include <sodium.h>
#include <boost/json.hpp>

#include <fcntl.h>
#include <unistd.h>

#include "arizuko/posix/files.hpp"

namespace arizuko::host {

namespace {

namespace json = boost::json;

constexpr const char* file_name = "guarded.json";
constexpr std::size_t most_bytes = 64 * 1024;
constexpr std::size_t digest_bytes = 16;
// Slow on purpose: whoever reads the file should not be able to try many values. About 2 ms.
constexpr unsigned long long passes = 3;
constexpr std::size_t memory_bytes = 1024 * 1024;

using Salt = std::array<unsigned char, crypto_pwhash_SALTBYTES>;
using Digest = std::array<unsigned char, digest_bytes>;

template <std::size_t Size>
std::string hex(const std::array<unsigned char, Size>& bytes) {
  std::array<char, 2 * Size + 1> text{};
  sodium_bin2hex(text.data(), text.size(), bytes.data(), bytes.size());
  return text.data();
}

template <std::size_t Size>
bool from_hex(std::string_view text, std::array<unsigned char, Size>& bytes) {
  std::size_t size = 0;
  return sodium_hex2bin(bytes.data(), bytes.size(), text.data(), text.size(), nullptr, &size, nullptr) == 0 &&
         size == bytes.size();
}

// nullopt: there was no memory for it.
std::optional<Digest> digest(std::string_view value, const Salt& salt) {
  Digest result{};
  if (crypto_pwhash(result.data(), result.size(), value.data(), value.size(), salt.data(), passes,
                    memory_bytes, crypto_pwhash_ALG_ARGON2ID13) != 0) {
    return std::nullopt;
  }
  return result;
}

}  // namespace

GuardedStore::GuardedStore(StateDir state, std::string_view accepted)
    : state_(std::move(state)), path_(state_.path(file_name)) {
  if (sodium_init() < 0) trouble_ = "libsodium has no source of random numbers";
  randombytes_buf(mac_key_.data(), mac_key_.size());
  constexpr std::string_view dividers = " ,\t\n";
  for (std::size_t at = accepted.find_first_not_of(dividers); at != std::string_view::npos;) {
    const std::size_t end = std::min(accepted.find_first_of(dividers, at), accepted.size());
    accepted_.emplace(accepted.substr(at, end - at));
    at = accepted.find_first_not_of(dividers, end);
  }
  read();
  // A start without the variable arms it again; written with the next change.
  for (auto& [key, mark] : marks_)
    mark.accepted_by_variable = mark.accepted_by_variable && accepted_.contains(key);
}

void GuardedStore::read() {
  if (state_.descriptor() < 0) {
    if (state_.error() != ENOENT)
      trouble_ = fmt::format("cannot read {}: {}", path_, ::strerrordesc_np(state_.error()));
    return;
  }
  const auto text = posix::read_file(state_.descriptor(), file_name, most_bytes, posix::Links::refused);
  if (!text) {
    if (text.error().error != ENOENT) trouble_ = fmt::format("cannot read {}: {}", path_, text.error().what);
    return;
  }
  try {
    for (const auto& [key, value] : json::parse(*text).as_object().at("keys").as_object()) {
      const json::object& mark = value.as_object();
      Mark read;
      read.salt = mark.at("salt").as_string();
      read.fingerprint = mark.at("fingerprint").as_string();
      read.accepted_by_variable = mark.contains("accepted_by_variable");
      Salt salt{};
      Digest fingerprint{};
      if (!from_hex(read.salt, salt) ||
          (!read.fingerprint.empty() && !from_hex(read.fingerprint, fingerprint))) {
        throw std::runtime_error("no hexadecimal digits");
      }
      marks_[std::string(key)] = read;
    }
  } catch (const std::exception&) {  // whatever does not look as we wrote it
    marks_.clear();
    trouble_ = fmt::format("{} is damaged", path_);
  }
}

bool GuardedStore::is_like(const std::string& key, const std::string* value) {
  const auto mark = marks_.find(key);
  if (mark == marks_.end()) return trouble_.empty();
  if (value == nullptr || mark->second.fingerprint.empty()) {
    return (value == nullptr) == mark->second.fingerprint.empty();
  }
  Salt salt{};
  Digest expected{};
  if (!from_hex(mark->second.salt, salt) || !from_hex(mark->second.fingerprint, expected)) return false;
  const std::optional<Digest> now = digest(*value, salt);
  return now && sodium_memcmp(now->data(), expected.data(), expected.size()) == 0;
}

/// By which a value is known again within this run, without keeping it.
GuardedStore::Mac GuardedStore::mac_of(const std::string& value) const {
  Mac mac{};
  crypto_generichash(mac.data(), mac.size(), reinterpret_cast<const unsigned char*>(value.data()),
                     value.size(), mac_key_.data(), mac_key_.size());
  return mac;
}

std::vector<std::string> GuardedStore::unlike_last_run(const std::vector<std::string>& keys,
                                                       const env::Snapshot& snapshot) {
  std::vector<std::string> unlike;
  for (const std::string& key : keys) {
    const std::string* value = snapshot.find(key);
    const std::optional<Mac> asked = value != nullptr ? std::optional(mac_of(*value)) : std::nullopt;
    const auto known = asked_.find(key);
    if (known == asked_.end() || known->second.first != asked) asked_[key] = {asked, is_like(key, value)};
    if (asked_[key].second) continue;
    const auto mark = marks_.find(key);
    const bool spent = mark != marks_.end() && mark->second.accepted_by_variable;
    if (!accepted_.contains(key) || spent) unlike.push_back(key);
  }
  return unlike;
}

std::vector<std::string> GuardedStore::spent() const {
  std::vector<std::string> names;
  for (const auto& [key, mark] : marks_) {
    if (mark.accepted_by_variable) names.push_back(key);
  }
  return names;
}

std::expected<void, std::string> GuardedStore::remember(const std::string& key,
                                                        const env::Snapshot& snapshot) {
  const std::string* value = snapshot.find(key);
  const bool known = marks_.contains(key);
  const bool like = known && is_like(key, value);
  Mark mark;
  if (like) {
    mark = marks_[key];
  } else {
    Salt salt{};
    randombytes_buf(salt.data(), salt.size());
    mark.salt = hex(salt);
    if (value != nullptr) {
      const std::optional<Digest> made = digest(*value, salt);
      if (!made) return std::unexpected(fmt::format("no memory for the fingerprint of {}", key));
      mark.fingerprint = hex(*made);
    }
    mark.accepted_by_variable = known && accepted_.contains(key);
  }
  marks_[key] = mark;
  asked_.erase(key);
  trouble_.clear();
  return write();
}

void GuardedStore::put_back() const {
  if (marks_.empty() || state_.descriptor() < 0) return;
  if (::faccessat(state_.descriptor(), file_name, F_OK, AT_SYMLINK_NOFOLLOW) != 0) static_cast<void>(write());
}

std::string GuardedStore::digits(const std::string& key) const {
  const auto mark = marks_.find(key);
  return mark == marks_.end() ? "" : mark->second.fingerprint.substr(0, 8);
}

std::expected<void, std::string> GuardedStore::write() const {
  json::object keys;
  for (const auto& [key, mark] : marks_) {
    json::object entry{{"salt", mark.salt}, {"fingerprint", mark.fingerprint}};
    if (mark.accepted_by_variable) entry["accepted_by_variable"] = true;
    keys[key] = std::move(entry);
  }
  const std::string text = json::serialize(json::object{{"version", 1}, {"keys", std::move(keys)}}) + "\n";
  if (state_.descriptor() < 0)
    return std::unexpected(fmt::format("cannot write {}: {}", path_, ::strerrordesc_np(state_.error())));
  if (const auto written = posix::replace_file(state_.descriptor(), file_name, text); !written)
    return std::unexpected(fmt::format("cannot write {}: {}", path_, written.error().what));
  return {};
}

}  // namespace arizuko::host
