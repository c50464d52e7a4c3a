#include "arizuko/host/state/generated_store.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include <fmt/format.h>
#include <sodium.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arizuko/env/name.hpp"
#include "arizuko/posix/files.hpp"

namespace arizuko::host {
namespace {

constexpr const char* directory_name = "generated";
constexpr mode_t of_directory = 0700;
constexpr mode_t of_file = 0600;
constexpr mode_t all_rights = 07777;

/// What a value was made of does not stay in memory.
class RandomBytes {
 public:
  explicit RandomBytes(std::size_t size) : bytes_(size) { randombytes_buf(bytes_.data(), bytes_.size()); }
  RandomBytes(const RandomBytes&) = delete;
  RandomBytes& operator=(const RandomBytes&) = delete;
  ~RandomBytes() { sodium_memzero(bytes_.data(), bytes_.size()); }
  const unsigned char* data() const { return bytes_.data(); }
  std::size_t size() const { return bytes_.size(); }

 private:
  std::vector<unsigned char> bytes_;
};

std::string base64(const RandomBytes& bytes, int variant) {
  std::string text(sodium_base64_encoded_len(bytes.size(), variant), '\0');
  sodium_bin2base64(text.data(), text.size(), bytes.data(), bytes.size(), variant);
  text.pop_back();  // the NUL
  return text;
}

std::string encoded(const RandomBytes& bytes, plan::Encoding encoding) {
  switch (encoding) {
    case plan::Encoding::hex: {
      std::string text(2 * bytes.size() + 1, '\0');
      sodium_bin2hex(text.data(), text.size(), bytes.data(), bytes.size());
      text.pop_back();
      return text;
    }
    case plan::Encoding::base64: return base64(bytes, sodium_base64_VARIANT_ORIGINAL);
    case plan::Encoding::base64url: return base64(bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  }
  return {};
}

std::string reason(int error) { return ::strerrordesc_np(error); }

/// With what would help: the volume's own troubles.
std::string with_remedy(const std::string& what, int error) {
  switch (error) {
    case EROFS: return what + "; mount the volume writable";
    case ENOSPC:
    case EDQUOT: return what + "; free space on the volume";
    case EACCES:
    case EPERM: return fmt::format("{}; chown it to {}:{}", what, ::geteuid(), ::getegid());
    default: return what;
  }
}

/// Ours, or of him whom the state directory belongs to: whose files ours are where the file system knows one
/// owner only, and whose instance this is where root only looks.
bool is_ours(const struct stat& info, int state) {
  struct stat directory{};
  return info.st_uid == ::geteuid() || (::fstat(state, &directory) == 0 && directory.st_uid == info.st_uid);
}

std::string not_ours(const struct stat& info) {
  return fmt::format(
      "belongs to uid {}, and this is uid {}: look who put it there, and chown it or move it away",
      info.st_uid, ::geteuid());
}

using Opened = std::expected<posix::Descriptor, posix::FileTrouble>;

/// The directory of the files. ENOENT: there is none.
Opened open_ours(const StateDir& state) {
  if (state.descriptor() < 0)
    return std::unexpected(posix::FileTrouble{state.error(), reason(state.error())});
  auto directory = posix::open_directory(state.descriptor(), directory_name, posix::Links::refused);
  struct stat info{};
  if (directory && ::fstat(directory->get(), &info) == 0 && !is_ours(info, state.descriptor()))
    return std::unexpected(posix::FileTrouble{EPERM, not_ours(info)});
  return directory;
}

Opened make_ours(const StateDir& state) {
  if (::mkdirat(state.descriptor(), directory_name, of_directory) != 0 && errno != EEXIST)
    return std::unexpected(posix::FileTrouble{errno, reason(errno)});
  return open_ours(state);
}

std::string without_line_end(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

}  // namespace

std::expected<void, std::string> GeneratedStore::look() const {
  const auto directory = open_ours(state_);
  if (directory || directory.error().error == ENOENT) return {};
  return std::unexpected(cannot_use(directory.error()));
}

std::string GeneratedStore::cannot_use(const posix::FileTrouble& trouble) const {
  return fmt::format("cannot use {}: {}", state_.path(directory_name), trouble.what);
}

std::expected<std::optional<std::string>, std::string> GeneratedStore::read(const std::string& key) const {
  const auto directory = open_ours(state_);
  if (!directory && directory.error().error == ENOENT) return std::nullopt;
  if (!directory) return std::unexpected(cannot_use(directory.error()));
  const auto refused = [&](std::string_view why) {
    return std::unexpected(fmt::format("{} {}", path(key), why));
  };
  const auto file = posix::open_to_read(directory->get(), key, posix::Links::refused);
  if (!file && file.error().error == ENOENT) return std::nullopt;
  if (!file)
    return refused(
        fmt::format("cannot be read: {}; mend it, or restore it from a backup", file.error().what));
  struct stat info{};
  if (::fstat(file->get(), &info) == 0 && !is_ours(info, state_.descriptor())) return refused(not_ours(info));
  auto text = posix::read_all(*file, env::max_value_bytes + 2);
  if (!text) return refused(fmt::format("cannot be read: {}; restore it from a backup", text.error().what));
  std::string value = without_line_end(std::move(*text));
  if (value.empty()) return std::nullopt;
  if (env::is_valid_value(value)) return value;
  return refused(
      fmt::format("holds a NUL byte or more than {} bytes, which no process can be given; restore "
                  "it from a backup",
                  env::max_value_bytes));
}

std::expected<void, std::string> GeneratedStore::keep(const std::string& key, std::string_view value) const {
  const auto there = read(key);
  if (!there) return std::unexpected(there.error());
  if (*there) return std::unexpected(fmt::format("{} holds another value already", path(key)));
  const auto directory = make_ours(state_);
  const auto failed = [&](const posix::FileTrouble& trouble) {
    return std::unexpected(
        with_remedy(fmt::format("cannot write {}: {}", path(key), trouble.what), trouble.error));
  };
  if (!directory) return failed(directory.error());
  if (const auto written = posix::replace_file(directory->get(), key, value); !written)
    return failed(written.error());
  return {};
}

std::expected<std::string, std::string> GeneratedStore::make(const plan::Generated& what) const {
  if (sodium_init() < 0) return std::unexpected("libsodium has no source of random numbers");
  std::string value = encoded(RandomBytes(what.bytes), what.encoding);
  if (auto kept = keep(what.key, value); !kept) return std::unexpected(std::move(kept.error()));
  return value;
}

void GeneratedStore::close_to_others(const plan::EnvPolicy& env) const {
  const auto directory = open_ours(state_);
  if (!directory) return;
  struct stat info{};
  if (::fstat(directory->get(), &info) == 0 && (info.st_mode & all_rights) != of_directory)
    ::fchmod(directory->get(), of_directory);
  for (const plan::Generated& each : env.generated) {
    const auto file = posix::open_to_read(directory->get(), each.key, posix::Links::refused);
    if (!file || ::fstat(file->get(), &info) != 0) continue;
    const bool wrong = is_ours(info, state_.descriptor()) && (info.st_mode & all_rights) != of_file;
    if (wrong) ::fchmod(file->get(), of_file);
  }
}

}  // namespace arizuko::host
