// What the commands that ask a running instance have in common: --control and --json, finding the instance,
// and what an answer means as an exit code.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/client/client.hpp"
#include "cli/client/control_socket.hpp"
#include "cli/command.hpp"
#include "cli/render.hpp"

namespace arizuko::cli {

/// An exit code with the sentence for it.
struct Failure {
  int code;
  std::string sentence;
};

/// A command for a running instance. Its options: --control, --json, and what ask_options() adds.
class AskingCommand : public Command {
 public:
  std::vector<Option> options() final;
  int run(const Console& console) final;

 protected:
  virtual std::vector<Option> ask_options() { return {}; }
  /// nullopt, or what is wrong with the words.
  virtual std::optional<std::string> misuse() const { return std::nullopt; }
  virtual int ask(const Client& client, const Console& console) const = 0;

  Output output() const { return json_ ? Output::json : Output::text; }
  /// Shows the answer to an order: yes, no, or what else an exit code says.
  int order(const Client& client, const std::string& target, const Console& console) const;
  /// Shows each line of a stream; `follow`: for ever.
  using Render = std::optional<std::string> (*)(std::string_view json, Colour colour);
  int print_stream(const Client& client, const std::string& target, Render render, bool follow,
                   const Console& console) const;

 private:
  std::string control_;
  bool json_ = false;
};

/// Of every command that asks.
std::vector<ExitCode> client_codes();

int fail(const Console& console, const Failure& failure);
Colour colour_of(const Console& console);
std::int64_t unix_now();  // nanoseconds

/// A string of a JSON object.
std::optional<std::string> member(std::string_view body, std::string_view key);

/// A service that a command is about, and how it came to be: what an operator names must do what is asked; of
/// a group, whoever can.
struct Named {
  std::string name;
  enum class By { itself, group } by = By::itself;
};
/// Each once, in the order of `words`: "@adapters" is all of that group, as the instance knows it.
std::expected<std::vector<Named>, Failure> services_named(const Client& client,
                                                          const std::vector<std::string>& words);

/// Asks, and returns the reply only if it is a success.
std::expected<Reply, Failure> get(const Client& client, const std::string& target);

}  // namespace arizuko::cli
