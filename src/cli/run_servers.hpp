// The servers of one run: probes, page and control socket, each where the plan or the command line wants it.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "arizuko/api/servers.hpp"
#include "arizuko/host/supervisor/instance.hpp"
#include "arizuko/plan/plan.hpp"
#include "prepare.hpp"

namespace arizuko::cli {

/// In the order in which they are closed.
struct Servers {
  std::unique_ptr<api::ProbeServer> probes;
  std::unique_ptr<api::PageServer> page;
  std::unique_ptr<api::ControlServer> control;
  std::string control_address;
};

/// Does nothing when they are open already.
std::expected<void, Refusal> open_probes(boost::asio::io_context& io, const plan::Pod& pod,
                                         host::Instance& instance, Servers& servers);
std::expected<void, Refusal> open_page(boost::asio::io_context& io, const plan::Pod& pod,
                                       host::Instance& instance, Servers& servers);
/// An address that was asked for (`wanted`) must work; of our own choice, the first that does. Without any
/// the pod still runs: that is worth a notice, not an end.
std::expected<void, Refusal> open_control(boost::asio::io_context& io, const std::string& wanted,
                                          const plan::Pod& pod, host::Instance& instance, Servers& servers,
                                          std::vector<std::string>& notices);

}  // namespace arizuko::cli
