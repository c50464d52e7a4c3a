#include "running.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <csignal>
#include <cstdlib>
#include <fstream>

namespace running {
namespace {

int bound_socket(int& port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  socklen_t size = sizeof address;
  REQUIRE(::bind(socket, reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port = ntohs(address.sin_port);
  return socket;
}

void drain(int pipe, std::string& text) {
  std::array<char, 65536> chunk{};
  for (auto got = ::read(pipe, chunk.data(), chunk.size()); got > 0;
       got = ::read(pipe, chunk.data(), chunk.size())) {
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
}

Reply call(rehearsal::http::verb method, int port, std::string_view path, std::string_view body,
           std::string_view bearer, std::chrono::milliseconds limit) {
  boost::asio::io_context io{1};
  rehearsal::Call asked;
  asked.method = method;
  asked.url = fmt::format("http://127.0.0.1:{}{}", port, path);
  asked.body = body;
  asked.bearer = bearer;
  asked.timeout = limit;
  Reply reply;
  boost::asio::co_spawn(io, rehearsal::http_call(asked), [&](const std::exception_ptr&, auto answer) {
    if (answer) reply = {answer->result_int(), answer->body()};
  });
  io.run();
  return reply;
}

}  // namespace

int free_port() {
  int port = 0;
  ::close(bound_socket(port));
  return port;
}
TakenPort::TakenPort() {
  socket_ = bound_socket(port);
  REQUIRE(::listen(socket_, 1) == 0);
}
TakenPort::~TakenPort() { ::close(socket_); }

Process::Process(const Directory& directory, const std::vector<std::string>& words, Variables variables) {
  variables.try_emplace("PATH", "/usr/bin:/bin");
  std::vector<std::string> pairs;
  for (const auto& [key, value] : variables) pairs.push_back(fmt::format("{}={}", key, value));
  std::vector<char*> environment, arguments;
  for (auto& pair : pairs) environment.push_back(pair.data());
  environment.push_back(nullptr);
  std::string program = ARIZUKO_BINARY_DIR "/arizuko-rehearsal";
  auto all = words;
  all.insert(all.begin(), program);
  for (auto& word : all) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::array<int, 2> out{}, err{};
  REQUIRE(::pipe2(out.data(), O_CLOEXEC) == 0);
  REQUIRE(::pipe2(err.data(), O_CLOEXEC) == 0);
  const auto where = directory.path();
  pid_ = ::fork();
  REQUIRE(pid_ >= 0);
  if (pid_ == 0) {
    ::dup2(out[1], 1);
    ::dup2(err[1], 2);
    if (::chdir(where.c_str()) == 0) ::execve(program.c_str(), arguments.data(), environment.data());
    ::_exit(127);
  }
  ::close(out[1]);
  ::close(err[1]);
  out_ = out[0];
  err_ = err[0];
  for (const int pipe : {out_, err_}) ::fcntl(pipe, F_SETFL, O_NONBLOCK);
}

Process::~Process() {
  if (running()) {
    signal(SIGKILL);
    wait();
  }
  ::close(out_);
  ::close(err_);
}

void Process::read_pipes() {
  drain(out_, output_);
  drain(err_, errors_);
}

bool Process::says(std::string_view text, std::chrono::milliseconds limit) {
  const bool said = eventually([&] { return errors().find(text) != std::string::npos || !running(); }, limit);
  return said && errors().find(text) != std::string::npos;
}

const std::string& Process::errors() {
  read_pipes();
  return errors_;
}
const std::string& Process::output() {
  read_pipes();
  return output_;
}

bool Process::running() {
  if (status_ != -1) return false;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) == 0) return true;
  status_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  read_pipes();
  return false;
}

int Process::wait(std::chrono::milliseconds limit) {
  eventually(
      [this] {
        read_pipes();
        return !running();
      },
      limit);
  return status_;
}
int Process::stop() {
  signal(SIGTERM);
  return wait();
}
void Process::signal(int number) const { ::kill(pid_, number); }

Reply get(int port, std::string_view path, std::string_view bearer, std::chrono::milliseconds limit) {
  return call(rehearsal::http::verb::get, port, path, "", bearer, limit);
}
Reply post(int port, std::string_view path, std::string_view body, std::string_view bearer) {
  return call(rehearsal::http::verb::post, port, path, body, bearer, std::chrono::seconds(15));
}
bool healthy(int port) {
  return eventually([port] { return get(port, "/health").status == 200; });
}

// By rename, as an operator's editor does: the daemon sees the whole text or none.
void write(const std::string& path, std::string_view text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path + ".new") << text;
  std::filesystem::rename(path + ".new", path);
}

Variables gated_variables(const Directory& directory, int port) {
  return {{"DATA_DIR", directory.path("data")},
          {"HOST_APP_DIR", "/opt/arizuko"},
          {"CHANNEL_SECRET", "sesame"},
          {"API_PORT", std::to_string(port)}};
}

Variables teled_variables(const Directory& directory, int gated_port, int port) {
  return {{"ROUTER_URL", fmt::format("http://127.0.0.1:{}", gated_port)},
          {"CHANNEL_SECRET", "sesame"},
          {"TELEGRAM_BOT_TOKEN", "4711:made-up"},
          {"DATA_DIR", directory.path("data")},
          {"REHEARSAL_FAULTS", "slow-stop 0"},
          {"LISTEN_ADDR", fmt::format("127.0.0.1:{}", port)},
          {"LISTEN_URL", fmt::format("http://127.0.0.1:{}", port)}};
}

}  // namespace running
