// What went wrong at a start, in words that say what would work.
#include <array>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include <elf.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arizuko/host/process/spawn_error.hpp"
#include "arizuko/posix/files.hpp"

namespace arizuko::host {
namespace {

/// How many bytes were there.
std::size_t read_at(const posix::Descriptor& file, std::uint64_t at, void* bytes, std::size_t size) {
  const ssize_t got = ::pread(file.get(), bytes, size, static_cast<off_t>(at));
  return got < 0 ? 0 : static_cast<std::size_t>(got);
}

/// What a file that exists, but for which execve says ENOENT, waits for: T39.
std::string missing_loader(const std::string& path) {
  const auto file = posix::open_to_read(AT_FDCWD, path, posix::Links::followed);
  if (!file) return {};
  std::array<char, 256> head{};
  const std::string_view text(head.data(), read_at(*file, 0, head.data(), head.size()));
  if (text.starts_with("#!")) {
    const std::string_view line = text.substr(2, text.find('\n') - 2);
    const std::size_t from = line.find_first_not_of(" \t");
    if (from == line.npos) return "the line after #! names no interpreter";
    const std::string_view interpreter = line.substr(from, line.find_first_of(" \t", from) - from);
    if (interpreter.ends_with('\r')) {
      return "the file has Windows line ends, so that its interpreter is not found; convert it to LF";
    }
    return fmt::format("its interpreter {} is not in this image", interpreter);
  }
  Elf64_Ehdr header{};
  if (text.size() < sizeof header || !text.starts_with(ELFMAG)) return {};
  std::memcpy(&header, text.data(), sizeof header);
  if (header.e_ident[EI_CLASS] != ELFCLASS64) return "it is a 32-bit program, whose loader is missing";
  for (int i = 0; i < header.e_phnum && i < 64; ++i) {
    Elf64_Phdr part{};
    const std::uint64_t at = header.e_phoff + static_cast<unsigned>(i) * sizeof part;
    if (read_at(*file, at, &part, sizeof part) != sizeof part) return {};
    if (part.p_type != PT_INTERP || part.p_filesz == 0 || part.p_filesz > 4096) continue;
    std::string loader(part.p_filesz, '\0');
    if (read_at(*file, part.p_offset, loader.data(), loader.size()) != loader.size()) return {};
    loader.resize(std::strlen(loader.c_str()));
    return fmt::format("the file is there, but its loader {} is not: it was built for another libc{}", loader,
                       loader.contains("musl") ? " (musl: use an Alpine image)" : " (glibc)");
  }
  return {};
}

std::string hint(const SpawnError& error) {
  if (error.stage == SpawnStage::executing) {
    if (error.error == ENOENT) return missing_loader(error.subject);
    if (error.error == ENOEXEC) return "neither a program for this machine nor a script that begins with #!";
    if (error.error == EPERM) {
      return "the file has capabilities (setcap) that this container does not have, and a child never gets "
             "more privileges (no_new_privs): take them off with setcap -r";
    }
    if (error.error == E2BIG) return "arguments and environment together are too long";
    if (error.error == EACCES) {
      struct stat info{};
      if (::stat(error.subject.c_str(), &info) != 0) return {};
      if (S_ISDIR(info.st_mode)) return "it is a directory";
      if ((info.st_mode & 0111) == 0) return "no execute permission: chmod +x";
      return "not for this user, or the file system is mounted noexec";
    }
  }
  if (error.stage == SpawnStage::emptying_the_control_group) {
    return "processes of an earlier arizuko-init were in it, and have been sent SIGKILL";
  }
  if (error.stage == SpawnStage::forking && error.error == EAGAIN) {
    return "the limit of processes is reached (pids_max of the service, pids.max of the container, ulimit "
           "-u)";
  }
  if (error.error == EMFILE) return "too many open files in arizuko-init (ulimit -n)";
  if (error.error == EPERM &&
      (error.stage == SpawnStage::switching_the_group || error.stage == SpawnStage::switching_the_user)) {
    return "only root can switch users; leave uid and gid out of the plan";
  }
  if (error.error == EPERM && error.stage == SpawnStage::setting_limits) {
    // A root without the capability, as in a container, may not either: setrlimit(2).
    rlimit hard{};
    const std::string limit =
        ::getrlimit(RLIMIT_NOFILE, &hard) == 0 ? fmt::format(" of {}", hard.rlim_max) : "";
    return fmt::format(
        "above the hard limit{}, which needs CAP_SYS_RESOURCE to raise: ask for less, or start the "
        "container with a higher one (docker run --ulimit nofile=N)",
        limit);
  }
  return {};
}

}  // namespace

std::string_view to_text(SpawnStage stage) {
  switch (stage) {
    case SpawnStage::marking_the_task: return "noting in the data directory that the task begins";
    case SpawnStage::finding_the_program: return "finding the program";
    case SpawnStage::making_the_log_pipes: return "making the log pipes";
    case SpawnStage::making_the_control_group: return "making the control group";
    case SpawnStage::emptying_the_control_group: return "emptying the control group";
    case SpawnStage::forking: return "forking";
    case SpawnStage::joining_the_control_group: return "joining the control group";
    case SpawnStage::starting_a_session: return "starting a session";
    case SpawnStage::resetting_signals: return "resetting signals";
    case SpawnStage::placing_descriptors: return "placing descriptors";
    case SpawnStage::setting_limits: return "setting limits";
    case SpawnStage::switching_the_group: return "switching the group";
    case SpawnStage::switching_the_user: return "switching the user";
    case SpawnStage::dropping_privileges: return "dropping privileges";
    case SpawnStage::entering_the_directory: return "entering the directory";
    case SpawnStage::executing: return "executing";
  }
  return "starting";
}

bool SpawnError::passing() const {
  return killed_by != 0 || error == EAGAIN || error == EBUSY || error == ENOMEM || error == EMFILE ||
         error == ENFILE || error == ETXTBSY;
}

std::string to_text(const SpawnError& error) {
  std::string text{to_text(error.stage)};
  if (!error.subject.empty()) text += ' ' + error.subject;
  if (error.killed_by != 0) {
    const char* signal = ::sigabbrev_np(error.killed_by);
    return text +
           fmt::format(": killed by {} before the program was executed",
                       signal ? fmt::format("SIG{}", signal) : fmt::format("signal {}", error.killed_by));
  }
  const char* phrase = ::strerrordesc_np(error.error);
  const char* name = ::strerrorname_np(error.error);
  text += fmt::format(": {} ({})", phrase ? phrase : "unknown error",
                      name ? std::string(name) : std::to_string(error.error));
  if (const std::string more = hint(error); !more.empty()) text += ": " + more;
  return text;
}

}  // namespace arizuko::host
