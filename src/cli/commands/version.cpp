// `version`.
#include <fmt/format.h>

#include "all.hpp"
#include "arizuko/api/version.hpp"

namespace arizuko::cli {

namespace {

class Version final : public Command {
 public:
  About about() const override {
    return {.name = "version",
            .summary = "Print the version",
            .examples = "  arizuko-init version\n",
            .exit_codes = {{exit_code::yes, ""}, {exit_code::usage, "usage"}}};
  }
  std::vector<Option> options() override { return {{"--json", &json_, "JSON, for scripts"}}; }
  int run(const Console& console) override {
    console.out(json_ ? fmt::format("{{\"name\":\"arizuko-init\",\"version\":\"{}\"}}\n", api::version)
                      : fmt::format("arizuko-init {}\n", api::version));
    return exit_code::yes;
  }

 private:
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> version_command() { return std::make_unique<Version>(); }

}  // namespace arizuko::cli
