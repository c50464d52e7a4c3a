#include "arizuko/host/sources/environment_reader.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "arizuko/env/name.hpp"
#include "root.hpp"
#include "temporary_directory.hpp"

using namespace arizuko;
using namespace arizuko::host;
namespace fs = std::filesystem;
using Kind = plan::Source::Kind;

namespace {

using Folder = tests::TemporaryDirectory;

/// Writes a volume in the kubelet's order (kubernetes.md).
class Kubelet {
 public:
  explicit Kubelet(const Folder& folder) : folder_(folder) {}

  void update(const std::map<std::string, std::string>& values) {
    const std::string old = current_;
    current_ = fmt::format("..2026_11_22_{}", ++count_);
    fs::create_directory(folder_.path(current_));
    for (const auto& [key, text] : values) folder_.write(current_ + "/" + key, text, 0644);
    fs::create_symlink(current_, folder_.path("..data_tmp"));
    fs::rename(folder_.path("..data_tmp"), folder_.path("..data"));
    for (const auto& [key, text] : values) {
      if (!fs::is_symlink(folder_.path(key))) fs::create_symlink("..data/" + key, folder_.path(key));
    }
    for (const auto& entry : fs::directory_iterator(folder_.path())) {
      const std::string name = entry.path().filename();
      if (name[0] != '.' && !values.contains(name)) fs::remove(entry.path());
    }
    if (!old.empty()) fs::remove_all(folder_.path(old));
  }
  const std::string& current() const { return current_; }

 private:
  const Folder& folder_;
  std::string current_;
  int count_ = 0;
};

std::string show(const ReadResult& result) {
  std::string shown;
  for (const auto& [name, value] : result.snapshot.values) shown += fmt::format("{}=[{}] ", name, value.text);
  for (const auto& problem : result.problems) {
    shown += fmt::format("\n{}: {}", problem.weight == SourceProblem::Weight::error ? "error" : "notice",
                         to_text(problem));
  }
  return shown;
}

ReadResult read(Kind kind, const std::string& path) {
  return read_sources({{.kind = kind, .path = path}}, nullptr);
}
ReadResult read_directory(const Folder& folder) { return read(Kind::directory, folder.path()); }
ReadResult read_dotenv(const Folder& folder) { return read(Kind::dotenv, folder.path(".env")); }

ReadResult read_environment(std::vector<std::string> entries) {
  std::vector<char*> pointers;
  for (std::string& entry : entries) pointers.push_back(entry.data());
  pointers.push_back(nullptr);
  return read_sources({{.kind = Kind::environment, .path = {}}}, pointers.data());
}

}  // namespace

TEST_CASE("environment: what is no variable's name is skipped silently; the pod may hold anything") {
  CHECK(show(read_environment({"A=b", "EMPTY=", "a.b=c", "BASH_FUNC_f%%=() {}", "=C:=x", "NOTHING", "9=x",
                               "B=c=d"})) == "A=[b] B=[c=d] EMPTY=[] ");
  CHECK(show(read_environment({"A=first", "A=second"})) == "A=[first] ");
  CHECK(show(read_sources({{.kind = Kind::environment, .path = {}}}, nullptr)).empty());
}

TEST_CASE("environment: an unused variable of 131,000 bytes in the container's environment ends nothing") {
  const ReadResult result = read_environment({"A=" + std::string(131'000, 'x'), "B=c"});
  CHECK(result.usable());
  CHECK(result.snapshot.unusable.contains("A"));
  CHECK(show(result) ==
        "B=[c] \nnotice: environment: A: the value is longer than 130816 bytes, more than a process can be "
        "given");
  std::vector<std::string> many;
  for (int i = 0; i < 12; ++i) many.push_back(fmt::format("K{}=", i) + std::string(120'000, 'x'));
  CHECK(read_environment(many).usable());
}

TEST_CASE("sources: later ones win, and each value knows where it is from") {
  const Folder folder;
  folder.write(".env", "A=dotenv\nB=dotenv\n");
  fs::create_directory(folder.path("secrets"));
  folder.write("secrets/B", "directory");
  char entry[] = "A=environment";
  char* environment[] = {entry, nullptr};
  const ReadResult result = read_sources({{.kind = Kind::environment, .path = {}},
                                          {.kind = Kind::dotenv, .path = folder.path(".env")},
                                          {.kind = Kind::directory, .path = folder.path("secrets")}},
                                         environment);
  CHECK(show(result) == "A=[dotenv] B=[directory] ");
  CHECK(result.usable());
  CHECK(result.snapshot.generation == 0);
  CHECK(result.snapshot.values.at("A").source == "dotenv:" + folder.path(".env"));
  CHECK(result.snapshot.values.at("B").source == "dir:" + folder.path("secrets"));
}

TEST_CASE("sources: one that does not exist is empty") {
  const Folder folder;
  CHECK(show(read_dotenv(folder)).empty());
  CHECK(show(read(Kind::directory, folder.path("none"))).empty());
  CHECK(show(read(Kind::dotenv, folder.path("none/.env"))).empty());
}

TEST_CASE("dotenv: a secret file that others can read is reported, and read") {
  const Folder folder;
  const auto with_mode = [&](unsigned mode) {
    folder.write(".env", "A=b\n", mode);
    const ReadResult result = read_dotenv(folder);
    CHECK(result.usable());
    return show(result);
  };
  const std::string place = "notice: dotenv:" + folder.path(".env");
  CHECK(with_mode(0600) == "A=[b] ");
  CHECK(with_mode(0644) == "A=[b] \n" + place + ": mode 0644: others can read it; chmod 600");
  CHECK(with_mode(0640) == "A=[b] \n" + place + ": mode 0640: its group can read it; chmod 600");
}

TEST_CASE("dotenv: problems name the line and the key, never the value") {
  const Folder folder;
  folder.write(".env", "A=b\n1B=secret\nC=d$E\n");
  const ReadResult result = read_dotenv(folder);
  CHECK_FALSE(result.usable());
  const std::string source = "dotenv:" + folder.path(".env");
  CHECK(show(result) ==
        "A=[b] C=[d$E] \nerror: " + source +
            ":2: 1B: not a variable's name: letters, digits and '_', no digit first, at most 128\nnotice: " +
            source +
            ":3: C: holds '$' before a name: taken as written, where godotenv would expand it; write \\$ or "
            "use "
            "single quotes");
}

TEST_CASE("dotenv: only a regular file of at most 1 MiB is read") {
  const Folder folder;
  const std::string error = "\nerror: dotenv:" + folder.path(".env") + ": ";
  folder.write(".env", std::string(1024 * 1024 + 1, '\n'));
  CHECK(show(read_dotenv(folder)) == error + "is larger than 1 MiB");
  folder.write(".env", std::string(1024 * 1024, '\n'));
  CHECK(show(read_dotenv(folder)).empty());
  fs::remove(folder.path(".env"));
  REQUIRE(::mkfifo(folder.path(".env").c_str(), 0600) == 0);
  CHECK(show(read_dotenv(folder)) == error + "is a FIFO, not a regular file");
  fs::remove(folder.path(".env"));
  fs::create_directory(folder.path(".env"));
  CHECK(show(read_dotenv(folder)) == error + "is a directory, not a regular file");
}

TEST_CASE("dotenv: a link to nothing is an error, not an absent file") {
  const Folder folder;
  fs::create_symlink("nowhere", folder.path(".env"));
  CHECK(show(read_dotenv(folder)) == "\nerror: dotenv:" + folder.path(".env") +
                                         ": cannot be read: No such file or directory: a link to nothing");
}

TEST_CASE("dotenv: root does not read through a link that a daemon put in its place") {
  arizuko::testing::needs_root();
  const Folder folder;
  folder.write("secret", "A=b\n");
  fs::create_symlink("secret", folder.path(".env"));
  CHECK(read_dotenv(folder).usable());
  REQUIRE(::lchown(folder.path(".env").c_str(), 1000, 1000) == 0);
  const auto result = read_dotenv(folder);
  CHECK(result.snapshot.values.empty());
  CHECK(show(result) == "\nerror: dotenv:" + folder.path(".env") +
                            ": cannot be read: a link of uid 1000 is on the way, which root does not follow");
}

TEST_CASE("sources: a file of another uid is an error that names uid and mode (T15)") {
  arizuko::testing::needs_root();
  const Folder folder;
  folder.write(".env", "A=b\n");
  fs::create_directory(folder.path("d"));
  folder.write("d/KEY", "x", 0400);
  fs::permissions(folder.path(), fs::perms(0755));
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgid(1000) != 0 || ::setuid(1000) != 0) ::_exit(1);
    const std::string dotenv = show(read_dotenv(folder));
    const std::string directory = show(read(Kind::directory, folder.path("d")));
    const bool right =
        dotenv == "\nerror: dotenv:" + folder.path(".env") +
                      ": cannot be read: Permission denied: it belongs to uid 0 gid 0 with mode 0600, and "
                      "this is uid "
                      "1000 gid 1000; run `arizuko create` and the pod under the same uid, or chown it" &&
        directory == "\nnotice: dir:" + folder.path("d") +
                         ": KEY: cannot be read: Permission denied: it belongs to uid 0 gid 0 with mode "
                         "0400, and this "
                         "is uid 1000 gid 1000; set fsGroup, or a defaultMode that it may read";
    ::_exit(right ? 0 : 2);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("directory: a file a key, without hidden files, subdirectories and one trailing newline") {
  const Folder folder;
  folder.write("A", "b");
  folder.write("NEWLINE", "b\n");
  folder.write("NEWLINES", "b\n\n");
  folder.write("EMPTY", "");
  folder.write("LINES", "b\r\nc\n");
  folder.write(".hidden", "x");
  folder.write("..also", "x");
  fs::create_directory(folder.path("SUB"));
  CHECK(show(read_directory(folder)) == "A=[b] EMPTY=[] LINES=[b\r\nc] NEWLINE=[b] NEWLINES=[b\n] ");
}

TEST_CASE("directory: a key that is no variable's name is reported and skipped") {
  const Folder folder;
  folder.write("tls.crt", "x");
  folder.write("A", "b");
  folder.write("b\x1b[2J", "x");
  const ReadResult result = read_directory(folder);
  CHECK(result.usable());
  const std::string notice = "\nnotice: dir:" + folder.path() + ": ";
  CHECK(show(result) == "A=[b] " + notice + "b?[2J: skipped: not a variable's name" + notice +
                            "tls.crt: skipped: not a variable's name");
}

TEST_CASE("directory: one with more names than the limit is an error, hidden ones counted") {
  const Folder folder;
  for (int i = 0; i < 4 * static_cast<int>(max_source_keys); ++i) folder.write(fmt::format(".{}", i), "");
  const auto result = read_directory(folder);
  CHECK(show(result) == "\nerror: dir:" + folder.path() + ": holds more than 16384 names");
}

TEST_CASE("directory: a value with a NUL byte, or too long, is the trouble of that key") {
  const Folder folder;
  folder.write("A", std::string_view("sec\0ret", 7));
  folder.write("B", std::string(env::max_value_bytes + 1, 'x'));
  folder.write("C", std::string(env::max_value_bytes, 'x') + "\n");
  folder.write("D", std::string(500'000, 'x'));
  REQUIRE(::mkfifo(folder.path("E").c_str(), 0600) == 0);
  ReadResult result = read_directory(folder);
  CHECK(result.usable());
  CHECK(result.snapshot.find("C")->size() == env::max_value_bytes);
  CHECK(result.snapshot.unusable.size() == 4);
  CHECK(result.snapshot.unusable["A"] == "the value holds a NUL byte (dir:" + folder.path() + ")");
  result.snapshot.values.clear();
  const std::string error = "\nnotice: dir:" + folder.path() + ": ";
  const std::string too_long = ": the value is longer than 130816 bytes, more than a process can be given";
  CHECK(show(result) == error + "A: the value holds a NUL byte" + error + "B" + too_long + error + "D" +
                            too_long + error + "E: is a FIFO, not a regular file");
}

TEST_CASE(
    "directory: a value that cannot be used hides the one of a weaker source, and a stronger one mends it") {
  const Folder weak;
  const Folder strong;
  weak.write("A", "made up");
  weak.write("B", std::string_view("\0", 1));
  strong.write("A", std::string_view("\0", 1));
  strong.write("B", "good");
  const ReadResult result = read_sources(
      {{.kind = Kind::directory, .path = weak.path()}, {.kind = Kind::directory, .path = strong.path()}},
      nullptr);
  CHECK(result.snapshot.find("A") == nullptr);
  CHECK(result.snapshot.unusable.contains("A"));
  CHECK(*result.snapshot.find("B") == "good");
  CHECK_FALSE(result.snapshot.unusable.contains("B"));
}

TEST_CASE(
    "directory: CR LF and a byte order mark at a value's edge are dropped as in a dotenv file, and said") {
  const Folder folder;
  folder.write("CRLF", "tok\r\n");
  folder.write("CR", "tok\r");
  folder.write("BOM", "\xEF\xBB\xBFtok\n");
  folder.write("BOTH", "\xEF\xBB\xBFtok\r\n");
  folder.write("INSIDE", "a\r\nb\xEF\xBB\xBF");
  const std::string notice = "\nnotice: dir:" + folder.path() + ": ";
  CHECK(show(read_directory(folder)) ==
        "BOM=[tok] BOTH=[tok] CR=[tok] CRLF=[tok] INSIDE=[a\r\nb\xEF\xBB\xBF] " + notice +
            "BOM: dropped: a byte order mark before the value" + notice +
            "BOTH: dropped: a byte order mark before the value and a carriage return after it" + notice +
            "CR: dropped: a carriage return after the value" + notice +
            "CRLF: dropped: a carriage return after the value");
}

TEST_CASE(
    "dotenv: of a source with `only` a line that somebody adds is ignored, with its name, and harms "
    "nothing") {
  const Folder folder;
  const auto read_only = [&] {
    plan::Source source{.kind = Kind::dotenv, .path = folder.path(".env")};
    source.only = {"CHANNEL_SECRET", "API_PORT"};
    return read_sources({source}, nullptr);
  };
  const std::string place = "\nnotice: dotenv:" + folder.path(".env");
  folder.write(".env", "CHANNEL_SECRET=made up\nDOCKER_HOST=tcp://evil\n");
  CHECK(show(read_only()) ==
        "CHANNEL_SECRET=[made up] " + place +
            ": ignored: DOCKER_HOST. Of this source only these are taken: CHANNEL_SECRET, "
            "API_PORT (env.sources). Put others into another source");
  folder.write(".env", "garbage\nCHANNEL_SECRET=made up\nX=\"open");
  ReadResult result = read_only();
  CHECK(result.usable());
  CHECK(*result.snapshot.find("CHANNEL_SECRET") == "made up");
  CHECK(result.snapshot.unusable.contains("API_PORT"));  // nobody knows what came behind
  std::string many = "CHANNEL_SECRET=x\n";
  for (int i = 0; i < 100; ++i) many += fmt::format("K{:03}=1\n", i);
  folder.write(".env", many);
  result = read_only();
  REQUIRE(result.problems.size() == 1);
  CHECK(result.problems[0].what.starts_with("ignored: K000, K001, K002, K003, K004 and 95 more."));
  fs::remove(folder.path(".env"));
  REQUIRE(::mkfifo(folder.path(".env").c_str(), 0600) == 0);
  result = read_only();
  CHECK(result.usable());
  CHECK(result.snapshot.unusable.size() == 2);
}

TEST_CASE("dotenv: a value that no variable can hold is the trouble of its key") {
  const Folder folder;
  folder.write(".env", std::string_view("A=x\0y\nB=c\n", 10));
  const ReadResult result = read_dotenv(folder);
  CHECK(result.usable());
  CHECK(*result.snapshot.find("B") == "c");
  CHECK(result.snapshot.unusable.contains("A"));
}

TEST_CASE("directory: at most 1 MiB and 4096 keys") {
  const Folder folder;
  for (int i = 0; i < 9; ++i) folder.write(fmt::format("K{}", i), std::string(120'000, 'x'));
  ReadResult result = read_directory(folder);
  CHECK_FALSE(result.usable());
  REQUIRE(result.problems.size() == 1);
  CHECK(to_text(result.problems[0]) == "dir:" + folder.path() + ": more than 1 MiB of values");

  const Folder many;
  for (int i = 0; i < 4097; ++i) many.write(fmt::format("K{}", i), "x");
  result = read_directory(many);
  REQUIRE(result.problems.size() == 1);
  CHECK(to_text(result.problems[0]) == "dir:" + many.path() + ": more than 4096 values");
}

TEST_CASE("directory: a file in its place is an error") {
  const Folder folder;
  folder.write("file", "x");
  CHECK(show(read(Kind::directory, folder.path("file"))) ==
        "\nerror: dir:" + folder.path("file") + ": is not a directory");
}

TEST_CASE("kubelet's layout: keys are read below ..data, not through their own links") {
  const Folder folder;
  Kubelet kubelet(folder);
  kubelet.update({{"A", "1"}, {"B", "2\n"}});
  CHECK(show(read_directory(folder)) == "A=[1] B=[2] ");
  kubelet.update({{"A", "1b"}, {"C", "3"}});
  CHECK(show(read_directory(folder)) == "A=[1b] C=[3] ");

  fs::remove(folder.path("C"));                      // the link of a new key is not there yet
  fs::create_symlink("..data/D", folder.path("D"));  // that of a removed one still is
  CHECK(show(read_directory(folder)) == "A=[1b] C=[3] ");
}

TEST_CASE("kubelet's layout: an optional Secret that was deleted is empty") {
  const Folder folder;
  Kubelet kubelet(folder);
  kubelet.update({{"A", "1"}});
  kubelet.update({});
  const ReadResult result = read_directory(folder);
  CHECK(show(result).empty());
  CHECK(result.usable());
}

TEST_CASE("kubelet's layout: a switch between two steps is waited for, but not for long") {
  const Folder folder;
  Kubelet kubelet(folder);
  kubelet.update({{"A", "1"}});
  fs::remove_all(folder.path(kubelet.current()));
  const auto begin = std::chrono::steady_clock::now();
  const ReadResult result = read_directory(folder);
  const auto took = std::chrono::steady_clock::now() - begin;
  CHECK(show(result) ==
        "\nerror: dir:" + folder.path() + ": ..data: cannot be read: No such file or directory");
  CHECK(took >= std::chrono::milliseconds(100));
  CHECK(took < std::chrono::seconds(2));
}

TEST_CASE("kubelet's layout: a snapshot never mixes two generations") {
  const Folder folder;
  Kubelet kubelet(folder);
  const auto values_of = [](int generation) {
    std::map<std::string, std::string> values;
    for (int i = 0; i < 20; ++i) values[fmt::format("K{:02}", i)] = std::to_string(generation);
    return values;
  };
  kubelet.update(values_of(0));
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int generation = 1; !stop; ++generation) kubelet.update(values_of(generation));
  });
  int usable = 0;
  bool mixed = false;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (usable < 50 && std::chrono::steady_clock::now() < end) {
    const ReadResult result = read_directory(folder);
    if (!result.usable()) continue;
    ++usable;
    mixed = mixed || result.snapshot.values.size() != 20;
    for (const auto& [name, value] : result.snapshot.values) {
      mixed = mixed || value.text != result.snapshot.values.begin()->second.text;
    }
  }
  stop = true;
  writer.join();
  CHECK(usable == 50);
  CHECK_FALSE(mixed);
}
