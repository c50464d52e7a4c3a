// doctor, check --pod, healthcheck and completion as one types them: words, exit codes, JSON.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <thread>

#include <fmt/format.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>
#include <boost/json.hpp>

#include "../doctor/planted.hpp"
#include "captured.hpp"

using arizuko::cli::Captured;
using arizuko::cli::type;

namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

const std::string stock = ARIZUKO_SOURCE_DIR "/etc/arizuko.toml";

/// A manifest of tests/doctor/pods as a file.
std::string pod_file(const std::string& name) {
  const std::string directory = ARIZUKO_BINARY_DIR "/cli-pods";
  std::filesystem::create_directories(directory);
  const std::string path = directory + '/' + name;
  std::ofstream(path, std::ios::binary) << arizuko::doctor::testing::planted_text(name);
  return path;
}

Captured check_pod(const std::string& name, const std::vector<std::string>& more = {}) {
  std::vector<std::string> words = {"check", "--plan", stock, "--pod", pod_file(name)};
  words.insert(words.end(), more.begin(), more.end());
  return type(words);
}

/// Takes one connection, and does with it what a test wants.
class Server {
 public:
  explicit Server(std::function<void(int connection)> serve)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(socket_, reinterpret_cast<sockaddr*>(&address), size);
    ::listen(socket_, 1);
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, serve = std::move(serve)] {
      const int connection = ::accept(socket_, nullptr, nullptr);
      if (connection < 0) return;
      serve(connection);
      ::close(connection);
    });
  }
  ~Server() {
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }
  Captured ask(std::vector<std::string> more = {}, const std::string& listens_on = "0.0.0.0") const {
    std::vector<std::string> words = {"healthcheck", "--plan", stock, "--set",
                                      fmt::format("pod.probes={}:{}", listens_on, port_)};
    words.insert(words.end(), more.begin(), more.end());
    return type(words);
  }
  std::string where(std::string_view probe) const { return fmt::format("127.0.0.1:{}/{}", port_, probe); }

 private:
  int socket_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

std::string read_request(int connection) {
  std::string request(4096, '\0');
  request.resize(
      static_cast<std::size_t>(std::max<ssize_t>(::recv(connection, request.data(), request.size(), 0), 0)));
  return request;
}

Server answering(const std::string& text) {
  return Server([text](int connection) {
    read_request(connection);
    ::send(connection, text.data(), text.size(), MSG_NOSIGNAL);
  });
}

}  // namespace

TEST_CASE("healthcheck: 200 is yes and 0, 503 is no and 1, with what the instance said") {
  const Server ready = answering("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n");
  const Captured yes = ready.ask();
  CHECK(yes.code == 0);
  CHECK(yes.out == fmt::format("yes: {}: ok\n", ready.where("readyz")));
  const Server waiting =
      answering("HTTP/1.1 503 Service Unavailable\r\n\r\nnot ready: gated is starting\nmore\n");
  const Captured no = waiting.ask();
  CHECK(no.code == 1);
  CHECK(no.out == fmt::format("no: {}: 503 not ready: gated is starting\n", waiting.where("readyz")));
}

TEST_CASE("healthcheck: where the probes listen on [::] and IPv6 is off, 127.0.0.1 is asked too") {
  const Server v4_only = answering("HTTP/1.1 200 OK\r\n\r\nok\n");
  const Captured yes = v4_only.ask({}, "[::]");
  CHECK(yes.code == 0);
  CHECK(yes.out == fmt::format("yes: {}: ok\n", v4_only.where("readyz")));
  CHECK(type({"healthcheck", "--plan", stock, "--set", "pod.probes=[::]:1"})
            .out.starts_with("no: [::1]:1/readyz: "));
}

TEST_CASE("healthcheck: an answer behind an interim one, with LF alone or without a reason is read") {
  const Server hinting = answering("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 503\n\nnot ready\n");
  CHECK(hinting.ask().out == fmt::format("no: {}: 503 not ready\n", hinting.where("readyz")));
}

TEST_CASE("healthcheck: --probe asks for another path") {
  std::string request;
  {
    const Server server([&](int connection) {
      request = read_request(connection);
      ::send(connection, "HTTP/1.0 200 OK\r\n\r\n", 19, MSG_NOSIGNAL);
    });
    CHECK(server.ask({"--probe", "livez"}).code == 0);
  }
  CHECK(request.starts_with("GET /livez HTTP/1.0\r\n"));
  CHECK(type({"healthcheck", "--probe", "metrics"}).code == 64);
}

TEST_CASE("healthcheck: nobody, silence, and what is no arizuko-init are 1 and a line, in bounded time") {
  const Captured nobody = type({"healthcheck", "--plan", stock, "--set", "pod.probes=127.0.0.1:1"});
  CHECK(nobody.code == 1);
  CHECK(nobody.out == "no: 127.0.0.1:1/readyz: Connection refused\n");
  {
    // Silent until the one who asks has gone.
    const Server silent([](int connection) {
      read_request(connection);
      read_request(connection);
    });
    CHECK(has(silent.ask({"--timeout", "0.2"}).out, "no answer in time"));
  }
  CHECK(has(answering("SSH-2.0-OpenSSH_9.2\r\n").ask().out, "no arizuko-init"));
  const Server endless([](int connection) {
    read_request(connection);
    const std::string text(4096, 'x');
    while (::send(connection, text.data(), text.size(), MSG_NOSIGNAL) > 0) {
    }
  });
  CHECK(endless.ask().code == 1);
}

TEST_CASE("healthcheck: a refused plan and one without probes are 1, as Docker knows no other number") {
  CHECK(type({"healthcheck", "--plan", "/nowhere"}).code == 1);
  CHECK(has(type({"healthcheck", "--plan", stock, "--set", "pod.probes=off"}).out, "no probe listener"));
}

// ---------------------------------------------------------------------------------------------

TEST_CASE("check --pod: a sound manifest is 0, warnings only are 1, an error is 78") {
  const Captured sound = check_pod("sound.yaml");
  CHECK(sound.code == 0);
  CHECK(sound.out == "nothing wrong (16 checks)\n");
  CHECK(check_pod("memory_unlimited.yaml").code == 0);
  CHECK(check_pod("service_links_on.yaml").code == 1);
  CHECK(check_pod("strategy_rolling.yaml").code == 78);
}

TEST_CASE("check --pod: a finding says file and line, what, why and the fix") {
  const Captured checked = check_pod("grace_short.yaml");
  CHECK(checked.out == "error    grace  " + pod_file("grace_short.yaml") +
                           ":51: Deployment/arizuko terminationGracePeriodSeconds: 40 s, and "
                           "the plan may take 40 s\n"
                           "                why: SIGKILL would come while adapters still sign off: messages "
                           "and sessions are lost\n"
                           "                fix: set it above 40, or lower pod.grace\n"
                           "1 error, 0 warnings (16 checks)\n");
}

TEST_CASE("check --pod: JSON has the same, and is JSON") {
  const Captured checked = check_pod("grace_short.yaml", {"--json"});
  CHECK(checked.code == 78);
  const boost::json::value value = boost::json::parse(checked.out);
  CHECK(value.at("ok") == false);
  CHECK(value.at("errors") == 1);
  const boost::json::value& finding = value.at("findings").at(0);
  for (const char* key : {"severity", "check", "file", "line", "column", "key", "what", "why", "fix"})
    CHECK(finding.as_object().contains(key));
  CHECK(finding.at("line") == 51);
}

TEST_CASE("check --pod: what cannot be read is 78 and a sentence with its place") {
  CHECK(type({"check", "--plan", stock, "--pod", "/nowhere.yaml"}).err ==
        "/nowhere.yaml: No such file or directory\n");
  const std::string path =
      std::filesystem::temp_directory_path() / fmt::format("arizuko-{}.yaml", ::getpid());
  std::ofstream(path) << "a: [1\nb: 2\n";
  const Captured broken = type({"check", "--plan", stock, "--pod", path});
  std::filesystem::remove(path);
  CHECK(broken.code == 78);
  CHECK(broken.err.starts_with(path + ":2:"));
}

TEST_CASE("check --pod: nothing of this process's environment gets into the answer") {
  ::setenv("HOST_DATA_DIR", "/elsewhere/arizuko_demo", 1);
  const Captured checked = check_pod("sound.yaml");
  ::unsetenv("HOST_DATA_DIR");
  CHECK(checked.code == 0);
}

TEST_CASE("check --pod: no file of this machine that the plan reads values from gets into the answer") {
  const std::string file = (std::filesystem::temp_directory_path() / "arizuko-check-pod.env").string();
  std::ofstream(file) << "HOST_DATA_DIR=/elsewhere/arizuko_demo\n";
  const std::vector<std::string> sources = {
      "--set", fmt::format("env.sources=[\"environment\", \"dotenv:{}\"]", file)};
  CHECK(has(type({"check", "--plan", stock, sources[0], sources[1]}).out, "/elsewhere/arizuko_demo"));
  const Captured checked = check_pod("config_variable.yaml", sources);
  std::filesystem::remove(file);
  CHECK_FALSE(has(checked.out, "/elsewhere"));
}

TEST_CASE("check --pod: a plan that is mounted from the manifest is the one, unless --plan names another") {
  CHECK(has(type({"check", "--pod", pod_file("plan_of_its_own.yaml")}).out, "8095 is no port of the plan"));
  CHECK_FALSE(has(check_pod("plan_of_its_own.yaml").out, "is no port of the plan"));
}

// ---------------------------------------------------------------------------------------------

TEST_CASE("doctor: exit 78 with an error, JSON with all checks, a refused plan as check refuses it") {
  const std::vector<std::string> words = {"doctor", "--plan", stock, "--set",
                                          "pod.data_dir=/etc/passwd/arizuko_demo"};
  const Captured text = type(words);
  CHECK(text.code == 78);
  CHECK(has(text.out, "error    data-dir"));
  CHECK(has(text.out, "(25 checks)\n"));
  std::vector<std::string> json_words = words;
  json_words.push_back("--json");
  const Captured json = type(json_words);
  CHECK(json.code == 78);
  CHECK(boost::json::parse(json.out).at("checks").as_array().size() == 25);
  const Captured refused = type({"doctor", "--plan", stock, "--set", "pod.grace=1s"});
  CHECK(refused.code == 78);
  CHECK(has(refused.err, "the plan is refused: 1 error"));
}

// ---------------------------------------------------------------------------------------------

namespace {

std::vector<std::string> commands() {
  std::vector<std::string> names;
  const std::string help = type({"--help"}).out;
  std::size_t at = help.find("Subcommands:\n");
  REQUIRE(at != help.npos);
  for (at = help.find('\n', at) + 1; help.compare(at, 2, "  ") == 0; at = help.find('\n', at) + 1) {
    if (help[at + 2] != ' ') names.push_back(help.substr(at + 2, help.find(' ', at + 2) - at - 2));
  }
  return names;
}

/// "--plan" and the like, of a command's --help.
std::set<std::string> options(const std::string& command) {
  std::set<std::string> names;
  const std::string help = type({command, "--help"}).out;
  const std::size_t from = help.find("Options:\n");
  const std::string part = help.substr(from, help.find("Example:") - from);
  for (std::size_t at = part.find("--"); at != part.npos; at = part.find("--", at + 2)) {
    if (at < 2 || (part[at - 1] != ' ' && part[at - 1] != ',')) continue;
    names.insert(part.substr(at, part.find_first_of(" ,\n=", at) - at));
  }
  return names;
}

std::string read(const std::string& path) {
  std::ifstream in(path);
  REQUIRE(in);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("completion: no script lacks a command or an option of --help") {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const std::string script = type({"completion", shell}).out;
    for (const std::string& command : commands()) {
      CAPTURE(command);
      CHECK(has(script, command));
      for (const std::string& option : options(command)) {
        CAPTURE(option);
        CHECK(has(script, std::string_view(shell) == "fish" ? "-l " + option.substr(2) : option));
      }
    }
  }
  CHECK(type({"completion", "tcsh"}).code == 64);
  CHECK(type({"completion"}).code == 64);
}

TEST_CASE("docs: docs/reference/cli.md and the man page name every command and option of --help") {
  for (const char* file : {"/docs/reference/cli.md", "/docs/reference/arizuko-init.1"}) {
    std::string text = read(std::string(ARIZUKO_SOURCE_DIR) + file);
    for (std::size_t at = text.find("\\-"); at != text.npos; at = text.find("\\-", at)) text.erase(at, 1);
    const std::vector<std::string> all = commands();
    CHECK(all.size() >= 14);
    for (const std::string& command : all) {
      CAPTURE(file);
      CAPTURE(command);
      CHECK(has(text, command));
      for (const std::string& option : options(command)) {
        if (option == "--help") continue;
        CAPTURE(option);
        CHECK(has(text, option));
      }
    }
  }
}
