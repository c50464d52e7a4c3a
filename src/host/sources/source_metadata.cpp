#include "source_metadata.hpp"

#include <array>
#include <cerrno>
#include <string>
#include <string_view>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arizuko/base/fnv1a.hpp"
#include "arizuko/host/sources/environment_reader.hpp"
#include "source_way.hpp"

namespace arizuko::host {
namespace {

constexpr std::size_t max_entries = 4 * max_source_keys;  // of a directory that are looked at

/// FNV-1a over what is known of a file without reading it.
class Fingerprint {
 public:
  void add(std::string_view bytes) {
    value_ = base::fnv1a(bytes, value_);
    add(bytes.size());
  }
  void add(std::uint64_t number) {
    std::array<char, 8> bytes;
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>((number >> (8 * i)) & 0xff);
    value_ = base::fnv1a(std::string_view(bytes.data(), bytes.size()), value_);
  }
  void add(std::int64_t number) { add(static_cast<std::uint64_t>(number)); }
  void add_identity(const struct stat& status) {
    add(std::uint64_t{status.st_dev});
    add(std::uint64_t{status.st_ino});
    add(std::uint64_t{status.st_mode});
    add(std::uint64_t{status.st_uid});
    add(std::uint64_t{status.st_gid});
  }
  void add_file(const struct stat& status) {
    add_identity(status);
    add(std::int64_t{status.st_size});
    add(std::int64_t{status.st_mtim.tv_sec});
    add(std::int64_t{status.st_mtim.tv_nsec});
    add(std::int64_t{status.st_ctim.tv_sec});
    add(std::int64_t{status.st_ctim.tv_nsec});
  }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = base::fnv1a_basis<std::uint64_t>;
};

bool is_shortage(int error) { return error == EMFILE || error == ENFILE || error == ENOMEM; }

std::uint64_t fingerprint_of_entry(int directory, const char* name) {
  Fingerprint entry;
  entry.add(std::string_view(name));
  struct stat status{};
  if (::fstatat(directory, name, &status, 0) == 0) {
    entry.add_file(status);
  } else {
    entry.add(std::int64_t{errno});
  }
  return entry.value();
}

/// Nothing when it could not be looked at for want of descriptors or memory.
std::optional<std::uint64_t> fingerprint_of_directory(const std::string& path) {
  Fingerprint all;
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0) all.add_identity(status);

  std::string entries = path;
  if (const auto target = link_at(join(path, std::string(data_link)))) {
    all.add(*target);
    entries = join(path, std::string(data_link));
    if (::stat(entries.c_str(), &status) == 0) all.add_identity(status);
  }
  DIR* directory = ::opendir(entries.c_str());
  if (directory == nullptr) {
    if (is_shortage(errno)) return std::nullopt;
    all.add(std::int64_t{errno});
    return all.value();
  }
  std::uint64_t sum = 0;  // whatever the order in which they come
  std::size_t count = 0;
  while (const dirent* entry = ::readdir(directory)) {
    if (++count > max_entries) break;
    if (!matters(entry->d_name)) continue;
    sum += fingerprint_of_entry(::dirfd(directory), entry->d_name);
  }
  ::closedir(directory);
  all.add(sum);
  return all.value();
}

}  // namespace

std::optional<std::uint64_t> fingerprint_of(const plan::Source& source) {
  if (source.has_files()) return fingerprint_of_directory(source.path);
  Fingerprint file;
  struct stat status{};
  if (::stat(source.path.c_str(), &status) == 0) {
    file.add_file(status);
  } else {
    file.add(std::int64_t{errno});
  }
  return file.value();
}

}  // namespace arizuko::host
