#include "arizuko/posix/files.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "root.hpp"
#include "temporary_directory.hpp"

namespace {

using namespace arizuko;
using namespace arizuko::posix;

/// A directory of its own. Its tests end after 10 s: their failure would be to hang.
class Folder : public tests::TemporaryDirectory {
 public:
  Folder() { ::alarm(10); }
  ~Folder() { ::alarm(0); }
};

void make_socket(const std::string& path) {
  const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(path.size() < sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
}

std::string why_not_read(const std::string& path, Links links = Links::followed) {
  const auto text = read_file(path, 1024, links);
  return text ? "read: " + *text : text.error().what;
}

std::string why_not_written(const std::string& path) {
  const auto file = open_to_write(AT_FDCWD, path, Missing::is_made);
  return file ? "open" : file.error().what;
}

}  // namespace

TEST_CASE("files: whatever lies where a file should be, reading it answers at once and says what it is") {
  const Folder folder;
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  make_socket(folder / "socket");
  std::filesystem::create_directory(folder / "directory");
  std::filesystem::create_symlink("fifo", folder / "link to a fifo");
  std::filesystem::create_symlink("circle", folder / "circle");
  CHECK(why_not_read(folder / "fifo") == "is a FIFO, not a regular file");
  CHECK(why_not_read(folder / "socket") == "is a socket, not a regular file");
  CHECK(why_not_read(folder / "directory") == "is a directory, not a regular file");
  CHECK(why_not_read("/dev/zero") == "is a device, not a regular file");
  CHECK(why_not_read(folder / "link to a fifo") == "is a FIFO, not a regular file");
  CHECK(why_not_read(folder / "circle") == "Too many levels of symbolic links");
  CHECK(why_not_read(folder / "nothing") == "No such file or directory");
}

TEST_CASE("files: writing never opens what is no regular file, and no file that has a second name") {
  const Folder folder;
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  make_socket(folder / "socket");
  folder.write("elsewhere", "precious");
  std::filesystem::create_symlink("elsewhere", folder / "link");
  std::filesystem::create_symlink("made by nobody", folder / "link to nothing");
  std::filesystem::create_hard_link(folder / "elsewhere", folder / "hard link");
  CHECK(why_not_written(folder / "fifo") == "is a FIFO, not a regular file");
  CHECK(why_not_written(folder / "socket") == "is a socket, not a regular file");
  CHECK(why_not_written(folder / "link") == "is a link, not a regular file");
  CHECK(why_not_written(folder / "link to nothing") == "is a link, not a regular file");
  CHECK(why_not_written(folder / "hard link") ==
        "has a second name (a hard link), which would be written too");
  CHECK(folder.read("elsewhere") == "precious");
  CHECK_FALSE(std::filesystem::exists(folder / "made by nobody"));
  CHECK(why_not_written(folder / "new") == "open");
}

TEST_CASE("files: a file is read to its limit, and the limit is in the error") {
  const Folder folder;
  folder.write("exact", std::string(1024, 'x'));
  folder.write("one more", std::string(1025, 'x'));
  folder.write("empty", "");
  CHECK(read_file(folder / "exact", 1024).value().size() == 1024);
  CHECK(why_not_read(folder / "one more") == "is larger than 1 KiB");
  CHECK(read_file(folder / "one more", 1024).error().error == EFBIG);
  CHECK(read_file(folder / "one more", 1000).error().what == "is larger than 1000 bytes");
  CHECK(read_file(folder / "empty", 1024).value().empty());
  // 1 TiB that takes no space: neither its size nor its content is taken.
  REQUIRE(::truncate((folder / "exact").c_str(), off_t{1} << 40) == 0);
  CHECK(read_file(folder / "exact", 1024 * 1024).error().what == "is larger than 1 MiB");
}

TEST_CASE("files: a file under another process's lease is refused, not waited for") {
  const Folder folder;
  folder.write("leased", "text");
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t holder = ::fork();
  if (holder == 0) {
    ::signal(SIGIO, SIG_IGN);
    const int file = ::open((folder / "leased").c_str(), O_RDWR);
    const bool leased = ::fcntl(file, F_SETLEASE, F_WRLCK) == 0;
    static_cast<void>(!::write(ends[1], leased ? "y" : "n", 1));
    ::pause();
  }
  char answer = 0;
  REQUIRE(::read(ends[0], &answer, 1) == 1);
  REQUIRE(answer == 'y');
  CHECK(why_not_read(folder / "leased") == "another process holds a lease on it");
  CHECK(why_not_written(folder / "leased") == "another process holds a lease on it");
  ::kill(holder, SIGKILL);
  ::waitpid(holder, nullptr, 0);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("files: a link is followed where the path is the operator's, and never in a directory of ours") {
  const Folder folder;
  folder.write("file", "text");
  std::filesystem::create_symlink("file", folder / "link");
  std::filesystem::create_symlink(folder / "link", folder / "link to the link");
  CHECK(why_not_read(folder / "link") == "read: text");
  CHECK(why_not_read(folder / "link", Links::trusted) == "read: text");
  CHECK(why_not_read(folder / "link to the link", Links::trusted) == "read: text");
  CHECK(why_not_read(folder / "link", Links::refused) == "is a link, not a regular file");
  CHECK(why_not_read(folder / "file", Links::refused) == "read: text");
}

TEST_CASE("files: root follows no link that another user made, not even at the end of its own") {
  arizuko::testing::needs_root();
  const Folder folder;
  folder.write("file", "text");
  std::filesystem::create_symlink("file", folder / "theirs");
  std::filesystem::create_symlink("theirs", folder / "ours");
  REQUIRE(::lchown((folder / "theirs").c_str(), 1000, 1000) == 0);
  const std::string why = "a link of uid 1000 is on the way, which root does not follow";
  CHECK(why_not_read(folder / "theirs", Links::trusted) == why);
  CHECK(why_not_read(folder / "ours", Links::trusted) == why);
  CHECK(open_directory(AT_FDCWD, folder / "theirs", Links::trusted).error().what == why);
}

TEST_CASE("files: root reads and writes nothing through a directory that another user swapped for a link") {
  arizuko::testing::needs_root();
  const Folder folder;
  std::filesystem::create_directory(folder / "victim");
  folder.write("victim/log", "precious");
  std::filesystem::create_symlink("victim", folder / "data");
  CHECK(why_not_read(folder / "data/log", Links::trusted) == "read: precious");
  CHECK(why_not_written(folder / "data/log") == "open");
  REQUIRE(::lchown((folder / "data").c_str(), 1000, 1000) == 0);
  const std::string why = "a link of uid 1000 is on the way, which root does not follow";
  CHECK(why_not_read(folder / "data/log", Links::trusted) == why);
  CHECK(why_not_written(folder / "data/log") == why);
  CHECK(why_not_written(folder / "data/../data/new") == why);
  CHECK_FALSE(std::filesystem::exists(folder / "victim/new"));
}

TEST_CASE("files: root finds the same files by links of its own as open(2) does") {
  arizuko::testing::needs_root();
  const Folder folder;
  std::filesystem::create_directories(folder / "a/b");
  folder.write("a/file", "text");
  std::filesystem::create_symlink("../file", folder / "a/b/up");
  std::filesystem::create_symlink(folder / "a//b/./", folder / "far");
  std::filesystem::create_symlink("far/up", folder / "chain");
  std::filesystem::create_symlink("circle", folder / "circle");
  CHECK(why_not_read(folder / "chain", Links::trusted) == "read: text");
  CHECK(why_not_read(folder / "far/../b/up", Links::trusted) == "read: text");
  CHECK(why_not_read(folder / "circle", Links::trusted) == "Too many levels of symbolic links");
  CHECK(why_not_read(folder / "a/file/more", Links::trusted) == "Not a directory");
  CHECK(why_not_read(folder / "none/more", Links::trusted) == "No such file or directory");
  CHECK(open_directory(AT_FDCWD, folder / "far", Links::trusted).has_value());
  CHECK(open_directory(AT_FDCWD, "/", Links::trusted).has_value());
}

TEST_CASE("files: what is overwritten has the new text and nothing of the longer old one") {
  const Folder folder;
  folder.write("file", "a long old text");
  {
    const auto file = open_to_write(AT_FDCWD, folder / "file", Missing::is_an_error);
    REQUIRE(file);
    CHECK(overwrite(*file, "new"));
  }
  CHECK(folder.read("file") == "new");
  CHECK(open_to_write(AT_FDCWD, folder / "none", Missing::is_an_error).error().error == ENOENT);
}

TEST_CASE("files: a file is replaced whole, whatever lies at its name or at its draft's") {
  const Folder folder;
  folder.write("elsewhere", "precious");
  std::filesystem::create_symlink("elsewhere", folder / "state");
  std::filesystem::create_symlink("elsewhere", folder / "state.new");
  const auto directory = open_directory(AT_FDCWD, folder.path(), Links::followed);
  REQUIRE(directory);
  REQUIRE(replace_file(directory->get(), "state", "text"));
  CHECK(folder.read("state") == "text");
  CHECK(folder.read("elsewhere") == "precious");
  struct stat info{};
  REQUIRE(::lstat((folder / "state").c_str(), &info) == 0);
  CHECK(S_ISREG(info.st_mode));
  CHECK((info.st_mode & 0777U) == 0600U);
  std::filesystem::create_directory(folder / "taken");
  folder.write("taken/x", "");
  CHECK_FALSE(replace_file(directory->get(), "taken", "text"));
  CHECK_FALSE(std::filesystem::exists(folder / "taken.new"));
}

TEST_CASE("files: what the kernel shows of itself has no size and is read all the same, up to a limit") {
  CHECK(read_kernel_file(AT_FDCWD, "/proc/self/stat", 4096).value().contains('('));
  CHECK(read_kernel_file(AT_FDCWD, "/proc/self/stat", 5).value().size() == 5);
  CHECK(read_kernel_file(AT_FDCWD, "/proc/self/none", 5).error().error == ENOENT);
}

TEST_CASE("files: a FIFO where a directory should be is named, and not waited for") {
  const Folder folder;
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  std::filesystem::create_symlink(folder.path(), folder / "link");
  CHECK(open_directory(AT_FDCWD, folder / "fifo", Links::followed).error().what ==
        "is a FIFO, not a directory");
  CHECK(open_directory(AT_FDCWD, folder / "link", Links::followed).has_value());
  CHECK(open_directory(AT_FDCWD, folder / "link", Links::refused).error().what ==
        "is a link, not a directory");
}
