#include "arizuko/host/process/own_process.hpp"

#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <malloc.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arizuko/env/redaction.hpp"

namespace arizuko::host {

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

}  // namespace arizuko::host
