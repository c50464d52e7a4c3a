// A rehearsal daemon as a real process in a directory of its own: started, read, asked, stopped.
// Every wait has a bound and looks for an event; nothing sleeps and hopes.
#pragma once

#include "http.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "eventually.hpp"
#include "temporary_directory.hpp"

namespace running {

constexpr auto bound = std::chrono::seconds(15);

using arizuko::tests::eventually;
using Directory = arizuko::tests::TemporaryDirectory;

// A port that nobody has at this moment. Two calls give two.
int free_port();
// Holds a port, as a neighbour would.
class TakenPort {
 public:
  TakenPort();
  ~TakenPort();
  TakenPort(const TakenPort&) = delete;
  int port = 0;

 private:
  int socket_ = -1;
};

using Variables = std::map<std::string, std::string>;

class Process {
 public:
  // arizuko-rehearsal WORDS..., with exactly `variables` (and PATH), in `directory`.
  Process(const Directory& directory, const std::vector<std::string>& words, Variables variables);
  ~Process();  // SIGKILL, if it still runs
  Process(const Process&) = delete;

  bool says(std::string_view text, std::chrono::milliseconds limit = bound);  // on stderr
  const std::string& errors();  // what it has said on stderr so far
  const std::string& output();  // on stdout
  bool running();
  // The exit code; 128 + the signal's number when one killed it; -1 when it is up past the bound.
  int wait(std::chrono::milliseconds limit = bound);
  int stop();  // SIGTERM, then wait
  void signal(int number) const;
  int pid() const { return pid_; }

 private:
  void read_pipes();
  int pid_ = -1;
  int status_ = -1;
  int out_ = -1, err_ = -1;
  std::string output_, errors_;
};

struct Reply {
  unsigned status = 0;  // 0: nobody answered
  std::string body;
};
Reply get(int port, std::string_view path, std::string_view bearer = "",
          std::chrono::milliseconds limit = std::chrono::seconds(5));
Reply post(int port, std::string_view path, std::string_view body, std::string_view bearer = "");
bool healthy(int port);

void write(const std::string& path, std::string_view text);

// The variables of a data directory's gated, and of an adapter that registers with it.
Variables gated_variables(const Directory& directory, int port);
Variables teled_variables(const Directory& directory, int gated_port, int port);

}  // namespace running
