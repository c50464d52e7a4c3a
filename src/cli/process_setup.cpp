#include "process_setup.hpp"

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arizuko/env/redaction.hpp"
#include "paths.hpp"

namespace arizuko::cli {

void harden() {
  ::umask(022);  // of what we make; what we were started with is nobody's wish for an instance
  // glibc raises this at the first large free, and then keeps on its heap what one large read needed: 1 MB
  // for good, of a process that needs less than half of that.
  ::mallopt(M_MMAP_THRESHOLD, 128 * 1024);
  // A reader that goes away is an error of that write, not our end. Children get the default back.
  std::signal(SIGPIPE, SIG_IGN);
  // A core file would hold every value of the environment. The soft limit only, and for the children
  // too, whose memory holds the same secrets: who needs a core can raise it up to the hard limit.
  // (PR_SET_DUMPABLE would also keep us, as uid 1000, out of our own /proc/self.)
  rlimit core{};
  if (::getrlimit(RLIMIT_CORE, &core) == 0) {
    core.rlim_cur = 0;
    ::setrlimit(RLIMIT_CORE, &core);
  }
}

/// Every process of our uid may read /proc/1/environ: the block that execve(2) left us. The secrets in it are
/// read from a copy from now on. (Our memory itself such a process may read, too:
/// docs/explanation/rotation.md.)
void hide_environment() {
  static std::vector<std::string> kept;
  static std::vector<char*> entries;
  if (!entries.empty()) return;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) kept.emplace_back(*entry);
  for (std::string& entry : kept) entries.push_back(entry.data());
  entries.push_back(nullptr);
  char** const block = std::exchange(environ, entries.data());
  for (char** entry = block; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view value = text.substr(equals + 1);
    const bool secret =
        env::name_says_secret(text.substr(0, equals)) || env::estimated_bits(value) >= env::min_secret_bits;
    if (secret) std::memset(*entry + equals + 1, '*', value.size());
  }
}

namespace {

bool is_directory(const std::string& path) {
  struct stat found{};
  return ::stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode);
}

}  // namespace

/// A real run makes the last directory only: a missing parent is a volume that was not mounted. A
/// rehearsal's directory lies under the user's state directory and is made with its parents. Root makes it
/// for the services' user.
std::expected<void, std::string> make_data_dir(const std::string& path, Mode mode,
                                               const std::optional<host::Account>& owner) {
  if (is_directory(path)) return {};
  const std::string parent = parent_of(path);
  if (mode == Mode::rehearsal && path != "/") {
    const auto made = make_data_dir(parent, mode, std::nullopt);
    if (!made) return made;
  }
  if (::mkdir(path.c_str(), 0755) == 0) {
    if (!owner || host::give_directory(path, *owner)) return {};
    return std::unexpected(
        fmt::format("cannot give the data directory {} to uid {}: {}; make it before the start", path,
                    owner->uid, std::strerror(errno)));
  }
  if (errno == EEXIST) return {};
  const int why = errno;
  return std::unexpected(fmt::format(
      "cannot create the data directory {}: {}; {}", path, std::strerror(why),
      !is_directory(parent)
          ? fmt::format("{} is not there: is the volume mounted?", parent)
          : fmt::format("create it for uid {}, or name another: --set pod.data_dir=DIR", ::geteuid())));
}

}  // namespace arizuko::cli
