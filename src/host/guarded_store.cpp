#include "arizuko/host/guarded_store.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <sodium.h>
#include <boost/json.hpp>

namespace arizuko::host {

namespace {

namespace json = boost::json;

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

// The whole of a small file; an error number otherwise, ENOENT when there is none.
std::expected<std::string, int> read_whole(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (file < 0) return std::unexpected(errno);
  std::string text(most_bytes + 1, '\0');
  const ssize_t size = ::read(file, text.data(), text.size());
  const int error = errno;
  ::close(file);
  if (size < 0) return std::unexpected(error);
  if (static_cast<std::size_t>(size) > most_bytes) return std::unexpected(EFBIG);
  text.resize(static_cast<std::size_t>(size));
  return text;
}

}  // namespace

GuardedStore::GuardedStore(std::string state_dir, std::string_view accepted)
    : path_(std::move(state_dir) + "/guarded.json") {
  if (sodium_init() < 0) trouble_ = "libsodium has no source of random numbers";
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
  const std::expected<std::string, int> text = read_whole(path_);
  if (!text) {
    if (text.error() != ENOENT) {
      trouble_ = fmt::format("cannot read {}: {}", path_, ::strerrordesc_np(text.error()));
    }
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

std::vector<std::string> GuardedStore::unlike_last_run(const std::vector<std::string>& keys,
                                                       const env::Snapshot& snapshot) {
  std::vector<std::string> unlike;
  for (const std::string& key : keys) {
    const std::string* value = snapshot.find(key);
    const std::optional<std::string> wanted = value != nullptr ? std::optional(*value) : std::nullopt;
    const auto known = asked_.find(key);
    if (known == asked_.end() || known->second.first != wanted) asked_[key] = {wanted, is_like(key, value)};
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
  if (!marks_.empty() && ::access(path_.c_str(), F_OK) != 0) static_cast<void>(write());
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
  const std::string draft = path_ + ".new";
  const auto failed = [&](const char* what) {
    const int error = errno;
    ::unlink(draft.c_str());
    return std::unexpected(fmt::format("cannot {} {}: {}", what, path_, ::strerrordesc_np(error)));
  };
  ::unlink(draft.c_str());  // of a run that was killed meanwhile
  const int file = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return failed("write");
  const bool written = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const bool synced = written && ::fsync(file) == 0;
  ::close(file);
  if (!synced) return failed("write");
  if (::rename(draft.c_str(), path_.c_str()) != 0) return failed("replace");
  return {};
}

}  // namespace arizuko::host
