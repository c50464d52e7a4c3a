// `completion`: the scripts of completion.hpp, for a shell.
#include "cli/completion.hpp"
#include "all.hpp"

namespace arizuko::cli {

namespace {

class Completion final : public Command {
 public:
  About about() const override {
    return {.name = "completion",
            .summary = "Print the completion script of a shell",
            .examples =
                "  arizuko-init completion bash > /etc/bash_completion.d/arizuko-init\n"
                "  arizuko-init completion zsh > \"${fpath[1]}/_arizuko-init\"\n"
                "  arizuko-init completion fish > ~/.config/fish/completions/arizuko-init.fish\n",
            .exit_codes = {{exit_code::yes, ""}, {exit_code::usage, "usage"}}};
  }
  std::vector<Option> options() override {
    return {{"SHELL", &shell_, "bash, zsh or fish", "", {"bash", "zsh", "fish"}, Option::Need::required}};
  }
  int run(const Console& console) override {
    console.out(completion_script(shell_, all_commands()));
    return exit_code::yes;
  }

 private:
  std::string shell_;
};

}  // namespace

std::unique_ptr<Command> completion_command() { return std::make_unique<Completion>(); }

}  // namespace arizuko::cli
