// What the pod shows: the probe port (read-only, no values, for everyone who reaches the pod), the
// status page (read-only, for a port-forward) and the control socket (for the same user or root).
//
// Probe port:   GET /livez /readyz /startupz /health /metrics
// Status page:  GET /
// Control:      GET /v1/status /v1/why /v1/events /v1/logs /v1/secrets; POST /v1/reload,
//               /v1/services/NAME/start|stop|restart, /v1/secrets/KEY/accept
// Every request is bounded: see Limits; a limit that is met is named in the answer. Every connection is
// taken: when there are as many as allowed, or descriptors or memory run short, one that keeps us waiting
// makes room (places.hpp). Whoever holds connections open, asks without reading or floods cannot keep the
// kubelet or the operator out, and what a connection costs is bounded here and in the kernel.
//
// A server stops listening, and forgets the instance, when it is destroyed.
#pragma once

#include <chrono>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "arizuko/host/supervisor/instance.hpp"

namespace arizuko::api {

struct Limits {
  std::uint32_t header_bytes = 8 * 1024;
  std::uint64_t body_bytes = 0;  // of a request: skipped up to so many; 0: a request has no body
  std::size_t connections = 64;  // a listener
  std::size_t answers = 100;     // a connection, then it is closed
  std::size_t descriptors = 24;  // stay free for the daemons' pipes, checks and files
  int socket_bytes = 16 * 1024;  // SO_SNDBUF and SO_RCVBUF; the kernel takes twice as much: socket(7)
  // For a request to arrive, and for an answer to be taken. Requests that are sent before the answer to the
  // last one was taken have one patience together.
  std::chrono::milliseconds patience{10'000};
};
/// Clients of the control socket may send a body: it is skipped.
inline constexpr Limits control_limits{.body_bytes = 64 * 1024};

/// Listens on an address of the plan. The error is a sentence: "cannot listen on 0.0.0.0:9090:
/// Address already in use (held by nginx, pid 12)".
class ProbeServer {
 public:
  static std::expected<std::unique_ptr<ProbeServer>, std::string> listen(boost::asio::io_context& io,
                                                                         const plan::Address& address,
                                                                         host::Instance& instance,
                                                                         const Limits& limits = {});
  virtual ~ProbeServer() = default;
  /// The port, also when 0 was asked for.
  virtual std::uint16_t port() const = 0;
};

class PageServer {
 public:
  static std::expected<std::unique_ptr<PageServer>, std::string> listen(boost::asio::io_context& io,
                                                                        const plan::Address& address,
                                                                        host::Instance& instance,
                                                                        const Limits& limits = {});
  virtual ~PageServer() = default;
  virtual std::uint16_t port() const = 0;
};

/// Listens on a unix socket: a path (mode 0600, a stale file of a dead supervisor is replaced, a
/// living one's is refused) or "@name" in the abstract namespace. A missing last directory of the
/// path is made: 0755 by root, else 0700. Peers of another user are sent away before they get a place
/// (SO_PEERCRED).
class ControlServer {
 public:
  static std::expected<std::unique_ptr<ControlServer>, std::string> listen(
      boost::asio::io_context& io, const std::string& address, host::Instance& instance,
      const Limits& limits = control_limits);
  virtual ~ControlServer() = default;
  /// True while an answer or a stream is on its way: at the end of a run, give it a moment.
  virtual bool busy() const = 0;
};

/// The addresses to try for an instance's control socket, best first: `wanted` alone if given, else
/// <dir>/<instance>.sock for `run_dir`, or without one for /run/arizuko-init and
/// $XDG_RUNTIME_DIR/arizuko-init (`runtime_dir`, if not empty), then "@arizuko-init/<instance>", and
/// last "@arizuko-init/<instance>-<pid>", which is always free.
std::vector<std::string> control_addresses(const std::string& wanted, const std::string& run_dir,
                                           const std::string& instance, const std::string& runtime_dir,
                                           int pid);

}  // namespace arizuko::api
