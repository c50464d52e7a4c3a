#include "run_servers.hpp"

#include <cstdlib>
#include <string_view>

#include <fmt/format.h>
#include <unistd.h>

namespace arizuko::cli {

namespace {

std::unexpected<Refusal> refused(std::string sentence) {
  return std::unexpected(Refusal{exit_code::wrong_plan, {}, {std::move(sentence)}});
}

std::string busy_hint(std::string_view key) {
  return fmt::format("; choose another with --set {}=IP:PORT, or none with --set {}=off", key, key);
}

}  // namespace

std::expected<void, Refusal> open_probes(boost::asio::io_context& io, const plan::Pod& pod,
                                         host::Instance& instance, Servers& servers) {
  if (pod.probes && !servers.probes) {
    auto probes = api::ProbeServer::listen(io, *pod.probes, instance);
    if (!probes) return refused(probes.error() + busy_hint("pod.probes"));
    servers.probes = std::move(*probes);
  }
  return {};
}

std::expected<void, Refusal> open_page(boost::asio::io_context& io, const plan::Pod& pod,
                                       host::Instance& instance, Servers& servers) {
  if (pod.page) {
    auto page = api::PageServer::listen(io, *pod.page, instance);
    if (!page) return refused(page.error() + busy_hint("pod.page"));
    servers.page = std::move(*page);
  }
  return {};
}

std::expected<void, Refusal> open_control(boost::asio::io_context& io, const std::string& wanted,
                                          const plan::Pod& pod, host::Instance& instance, Servers& servers,
                                          std::vector<std::string>& notices) {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  std::string trouble;
  for (const std::string& address : api::control_addresses(wanted, pod.run_dir, pod.instance,
                                                           runtime != nullptr ? runtime : "", ::getpid())) {
    auto control = api::ControlServer::listen(io, address, instance);
    if (control) {
      servers.control = std::move(*control);
      servers.control_address = address;
      return {};
    }
    if (!trouble.empty()) trouble += "; ";
    trouble += control.error();
  }
  if (!wanted.empty()) return refused(trouble);
  notices.push_back("no control socket: " + trouble);
  return {};
}

}  // namespace arizuko::cli
