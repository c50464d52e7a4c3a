// The data directory and the file system below it.
#include <array>
#include <cerrno>
#include <cstring>
#include <set>

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "arizuko/doctor/checks.hpp"
#include "arizuko/posix/files.hpp"
#include "files.hpp"
#include "known.hpp"

namespace arizuko::doctor {

namespace {

constexpr std::uint64_t mebibyte = 1024 * 1024;

std::string as_user(const User& user) { return fmt::format("uid {}", user.uid); }

std::string cure(const User& user) {
  return fmt::format("chown it to {}:{}, or set fsGroup in the pod's securityContext", user.uid, user.gid);
}

Findings about_dir(Severity severity, const std::string& path, std::string_view what, std::string_view why,
                   std::string_view fix) {
  return one(severity, "data-dir", {path, 0, 0}, "", what, why, fix);
}

Findings cannot_write(const User& user, const std::string& path, const struct stat& info,
                      std::string_view why) {
  return about_dir(Severity::error, path,
                   fmt::format("{} cannot write here ({})", as_user(user), owner_text(info)), why,
                   cure(user));
}

/// Also what mode bits do not say: a read-only mount. Only of this very user.
bool really_writable(const std::string& path) { return ::access(path.c_str(), W_OK) == 0 || errno != EROFS; }

/// The first thing on the way up from `path` that is there, when it is no directory; else empty.
std::string in_the_way(std::string path) {
  for (; path.size() > 1; path = path.substr(0, path.rfind('/'))) {
    if (const auto info = look_at(path)) return S_ISDIR(info->st_mode) ? std::string{} : path;
  }
  return {};
}

Findings not_there(const Context& context, const std::string& path) {
  if (const std::string file = in_the_way(path); !file.empty()) {
    return about_dir(Severity::error, path, fmt::format("{} is no directory", file),
                     "the data directory cannot be made below it", "move the file away, or set pod.data_dir");
  }
  const std::string above = nearest_directory(path);
  const auto info = look_at(above);
  if (info && may(context.user, *info, Right::write) && really_writable(above)) return {};
  return about_dir(Severity::error, path,
                   fmt::format("it does not exist, and {} cannot make it in {}{}", as_user(context.user),
                               above, info ? fmt::format(" ({})", owner_text(*info)) : ""),
                   "everything the instance remembers is kept there",
                   fmt::format("mount the volume, or make it: install -d -o {} -g {} -m 0750 {}",
                               context.user.uid, context.user.gid, path));
}

/// A file or directory inside that somebody else made: T15.
void look_inside(const Context& context, const std::string& path, Right right, std::string_view why,
                 Findings& found) {
  const auto info = look_at(path);
  if (!info || may(context.user, *info, right)) return;
  append(found, cannot_write(context.user, path, *info, why));
}

/// Each of the plan, and the directories on the way to it.
void look_at_databases(const Context& context, Findings& found) {
  const std::size_t inside = context.plan.pod.data_dir.size() + 1;
  std::set<std::string> directories;
  for (const std::string& path : databases(context)) {
    for (std::size_t slash = path.find('/', inside); slash != std::string::npos;
         slash = path.find('/', slash + 1))
      directories.insert(path.substr(0, slash));
    look_inside(context, path, Right::write, "the database would be read-only (T15)", found);
  }
  for (const std::string& path : directories)
    look_inside(context, path, Right::write, "SQLite keeps its -wal and -shm files there", found);
}

/// A name in a directory itself, whatever a link there names.
std::optional<struct stat> look_at_name(const std::string& path) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) return std::nullopt;
  return info;
}

/// Who owns what this process makes in `directory`: not it, where the file system knows one owner only.
std::optional<uid_t> owner_of_our_files(const std::string& directory) {
  std::string name = directory + "/.arizuko-doctor-XXXXXX";
  const Descriptor file(::mkostemp(name.data(), O_CLOEXEC));
  struct stat info{};
  if (!file.is_open() || ::fstat(file.get(), &info) != 0) return std::nullopt;
  ::unlink(name.c_str());
  return info.st_uid;
}

/// What makes the start end with exit 77: host/state_dir.
Findings look_at_state_dir(const Context& context) {
  constexpr const char* why = "the start ends with exit 77";
  constexpr const char* fix = "look who put it there, and move it away";
  const std::string path = context.plan.pod.data_dir + "/.arizuko-init";
  const auto info = look_at_name(path);
  if (!info) return {};
  const auto wrong_kind = [&](const std::string& where, mode_t mode, std::string_view wanted) {
    return about_dir(Severity::error, where, fmt::format("it is {}, not {}", posix::kind_text(mode), wanted),
                     why, fix);
  };
  if (!S_ISDIR(info->st_mode)) return wrong_kind(path, info->st_mode, "a directory");
  if (context.user.uid == 0 && info->st_uid != 0 &&
      owner_of_our_files(context.plan.pod.data_dir) != info->st_uid) {
    return about_dir(
        Severity::error, path, fmt::format("it belongs to uid {}, and this is root", info->st_uid), why,
        fmt::format("run arizuko-init as uid {}, or look what is in it and chown -R root:root {}",
                    info->st_uid, path));
  }
  const std::string lock = path + "/lock";
  const auto file = look_at_name(lock);
  return file && !S_ISREG(file->st_mode) ? wrong_kind(lock, file->st_mode, "a regular file") : Findings{};
}

}  // namespace

Findings check_data_dir(const Context& context) {
  const std::string& path = context.plan.pod.data_dir;
  const auto info = look_at(path);
  if (!info) return not_there(context, path);
  if (!S_ISDIR(info->st_mode)) {
    return about_dir(Severity::error, path, "it is no directory", "the data directory has to be one",
                     "move the file away, or set pod.data_dir");
  }
  constexpr const char* why = "the database, the groups and the lock are kept there";
  if (!may(context.user, *info, Right::write) || !may(context.user, *info, Right::enter))
    return cannot_write(context.user, path, *info, why);
  Findings found;
  if (!really_writable(path)) {
    append(found,
           about_dir(Severity::error, path, "it is mounted read-only", why, "mount the volume writable"));
  }
  if ((info->st_mode & S_IWOTH) != 0 && (info->st_mode & S_ISVTX) == 0) {
    append(found,
           about_dir(Severity::warning, path, fmt::format("everybody may write here ({})", owner_text(*info)),
                     "anybody on this machine can replace the database and the .env",
                     fmt::format("chmod o-w {}", path)));
  }
  if (context.user.uid == 0 && info->st_uid != 0) {
    append(found, about_dir(Severity::warning, path,
                            fmt::format("it belongs to uid {}, and this is root", info->st_uid),
                            fmt::format("what root writes, uid {} cannot change later: a .env that it cannot "
                                        "read is ignored in silence "
                                        "(T15)",
                                        info->st_uid),
                            fmt::format("run it, and doctor, as uid {}", info->st_uid)));
  }
  append(found, look_at_state_dir(context));
  look_inside(context, path + "/.arizuko-init", Right::write,
              "the lock is there: the start ends with exit 77", found);
  look_at_databases(context, found);
  return found;
}

// ---------------------------------------------------------------------------------------------
// Room

Findings judge_free_space(const std::string& where, std::uint64_t bytes_free, std::uint64_t inodes_free,
                          std::uint64_t inodes_in_all) {
  constexpr std::uint64_t too_few_bytes = 64 * mebibyte;
  constexpr std::uint64_t few_bytes = 512 * mebibyte;
  constexpr std::uint64_t too_few_inodes = 100;
  constexpr std::uint64_t few_inodes = 2000;
  Findings found;
  const auto add = [&](bool serious, std::string_view what) {
    doctor::add(found, serious ? Severity::error : Severity::warning, "free-space", {where, 0, 0}, "", what,
                "on a full disk SQLite refuses every message, and the agents' files are cut short",
                "free space, or make the volume larger");
  };
  if (bytes_free < few_bytes)
    add(bytes_free < too_few_bytes, fmt::format("{} MiB are free", bytes_free / mebibyte));
  if (inodes_in_all > 0 && inodes_free < few_inodes)
    add(inodes_free < too_few_inodes, fmt::format("{} inodes are free", inodes_free));
  return found;
}

Findings check_free_space(const Context& context) {
  const std::string where = nearest_directory(context.plan.pod.data_dir);
  struct statvfs room{};
  if (::statvfs(where.c_str(), &room) != 0) return {};
  return judge_free_space(where, static_cast<std::uint64_t>(room.f_bavail) * room.f_frsize, room.f_favail,
                          room.f_files);
}

// ---------------------------------------------------------------------------------------------
// WAL: one kernel, shared memory, locks (contract.md section 6)

namespace {

enum class Suits { no, perhaps, passing };
struct FileSystem {
  std::uint64_t type;  // statfs(2), linux/magic.h
  std::string_view name;
  Suits suits;
};
constexpr std::array<FileSystem, 16> known = {{
    {0x6969, "NFS", Suits::no},
    {0x517B, "SMB", Suits::no},
    {0xFF534D42, "CIFS", Suits::no},
    {0xFE534D42, "SMB", Suits::no},
    {0x01021997, "9p", Suits::no},
    {0x786F4256, "vboxsf", Suits::no},
    {0x5346414F, "AFS", Suits::no},
    {0x73757245, "Coda", Suits::no},
    {0x0BD00BD0, "Lustre", Suits::no},
    {0x01161970, "GFS2", Suits::no},
    {0x7461636F, "OCFS2", Suits::no},
    {0x00C36400, "CephFS", Suits::perhaps},
    {0x65735546, "FUSE", Suits::perhaps},
    {0x01021994, "tmpfs", Suits::passing},
    {0x858458F6, "ramfs", Suits::passing},
    {0x794C7630, "overlay", Suits::passing},
}};

Findings about_file_system(Severity severity, const std::string& where, std::string_view what,
                           std::string_view why, std::string_view fix) {
  return one(severity, "file-system", {where, 0, 0}, "", what, why, fix);
}

constexpr const char* use_local = "use a volume of one node: a block device or local disk, ReadWriteOnce";

constexpr std::size_t shared_bytes = 32 * 1024;  // of one -shm file

/// Two views of one file see each other's writes at once: what SQLite's -shm file is. The file has its blocks
/// already: where there is no room, a write to memory that is mapped ends the process (SIGBUS).
bool shares_memory(int file) {
  constexpr std::size_t size = shared_bytes;
  void* one = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  void* two = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  bool shared = one != MAP_FAILED && two != MAP_FAILED;
  if (shared) {
    static_cast<volatile char*>(one)[size - 1] = 'w';
    shared = static_cast<volatile char*>(two)[size - 1] == 'w';
  }
  if (one != MAP_FAILED) ::munmap(one, size);
  if (two != MAP_FAILED) ::munmap(two, size);
  return shared;
}

bool locks_ranges(int file) {
  struct flock range{};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  range.l_start = 120;  // where SQLite's WAL locks are
  range.l_len = 1;
  return ::fcntl(file, F_SETLK, &range) == 0;
}

Findings try_it(const std::string& directory) {
  std::string name = directory + "/.arizuko-doctor-XXXXXX";
  const Descriptor file(::mkostemp(name.data(), O_CLOEXEC));
  if (!file.is_open()) return {};  // data-dir has said why
  ::unlink(name.c_str());
  Findings found;
  const std::string zeros(shared_bytes, '\0');
  errno = ENOSPC;  // what a short write means
  if (::pwrite(file.get(), zeros.data(), zeros.size(), 0) != std::ssize(zeros)) {
    return about_file_system(
        Severity::error, directory,
        fmt::format("{} KiB cannot be written here: {}", shared_bytes / 1024, std::strerror(errno)),
        "the database, the lock and all files of the daemons are written here",
        "free space, raise the quota, or make the volume larger");
  }
  if (!shares_memory(file.get())) {
    append(found,
           about_file_system(Severity::error, directory, "two programs cannot share memory by a file here",
                             "the daemons meet in one SQLite database by such a file (WAL): it would break",
                             use_local));
  }
  if (!locks_ranges(file.get())) {
    append(found,
           about_file_system(Severity::error, directory,
                             fmt::format("ranges of a file cannot be locked here: {}", std::strerror(errno)),
                             "without locks the daemons overwrite each other in the database", use_local));
  }
  return found;
}

}  // namespace

Findings judge_file_system(const std::string& where, std::uint64_t type) {
  for (const FileSystem& each : known) {
    if (each.type != type) continue;
    switch (each.suits) {
      case Suits::no:
        return about_file_system(
            Severity::error, where, fmt::format("the file system is {}", each.name),
            "SQLite's WAL needs one kernel that shares memory among the daemons: over a network "
            "the database gets damaged",
            use_local);
      case Suits::perhaps:
        return about_file_system(Severity::warning, where, fmt::format("the file system is {}", each.name),
                                 "whether it shares memory and keeps locks depends on what is behind it",
                                 use_local);
      case Suits::passing:
        return about_file_system(
            Severity::warning, where,
            fmt::format("the file system is {}: it is gone with the container", each.name),
            "database, groups and sign-ins would be lost at the next start",
            "mount a volume at the data directory");
    }
  }
  return {};
}

Findings check_file_system(const Context& context) {
  const std::string& path = context.plan.pod.data_dir;
  const std::string where = nearest_directory(path);
  struct statfs info{};
  Findings found;
  if (::statfs(where.c_str(), &info) == 0) {
    found = judge_file_system(where, static_cast<std::uint64_t>(info.f_type) & 0xFFFFFFFFU);
  }
  if (where == path) append(found, try_it(path));
  return found;
}

}  // namespace arizuko::doctor
