#include "run_servers.hpp"

#include <cstdlib>
#include <string_view>

#include <fmt/format.h>
#include <unistd.h>

#include "options.hpp"

namespace arizuko::cli {

namespace {

std::string busy_hint(std::string_view key) {
  return fmt::format("; choose another with --set {}=IP:PORT, or none with --set {}=off", key, key);
}

}  // namespace

std::expected<void, Refused> open_probes(boost::asio::io_context& io, const plan::Pod& pod,
                                         host::Instance& instance, Servers& servers) {
  if (pod.probes && !servers.probes) {
    auto probes = api::ProbeServer::listen(io, *pod.probes, instance);
    if (!probes)
      return std::unexpected(Refused{exit_code::wrong_plan, probes.error() + busy_hint("pod.probes")});
    servers.probes = std::move(*probes);
  }
  return {};
}

std::expected<void, Refused> open_page(boost::asio::io_context& io, const plan::Pod& pod,
                                       host::Instance& instance, Servers& servers) {
  if (pod.page) {
    auto page = api::PageServer::listen(io, *pod.page, instance);
    if (!page) return std::unexpected(Refused{exit_code::wrong_plan, page.error() + busy_hint("pod.page")});
    servers.page = std::move(*page);
  }
  return {};
}

std::expected<void, Refused> open_control(boost::asio::io_context& io, const std::string& wanted,
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
  if (!wanted.empty()) return std::unexpected(Refused{exit_code::wrong_plan, trouble});
  notices.push_back("no control socket: " + trouble);
  return {};
}

}  // namespace arizuko::cli
