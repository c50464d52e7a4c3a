#include "arizuko/host/supervisor/service_manager.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <vector>

#include <sys/un.h>

#include <fmt/format.h>
#include <boost/asio/steady_timer.hpp>

#include "arizuko/engine/why.hpp"
#include "manager_socket.hpp"

namespace arizuko::host {

namespace {

std::optional<std::int64_t> number(const char* text) {
  if (text == nullptr) return std::nullopt;
  std::int64_t value = 0;
  const char* end = text + std::strlen(text);
  const auto read = std::from_chars(text, end, value);
  return read.ec == std::errc{} && read.ptr == end && value > 0 ? std::optional(value) : std::nullopt;
}

}  // namespace

std::optional<ServiceManagerFacts> service_manager_facts(
    const std::function<const char*(const char* name)>& environment, int own_pid) {
  const char* socket = environment("NOTIFY_SOCKET");
  if (socket == nullptr || (*socket != '/' && *socket != '@')) return std::nullopt;
  if (std::strlen(socket) >= sizeof(sockaddr_un{}.sun_path)) return std::nullopt;
  ServiceManagerFacts facts;
  facts.socket = socket;
  const std::optional<std::int64_t> pid = number(environment("WATCHDOG_PID"));
  const std::optional<std::int64_t> patience = number(environment("WATCHDOG_USEC"));
  if (patience && (!pid || *pid == own_pid)) facts.watchdog = std::chrono::microseconds(*patience);
  return facts;
}

struct ServiceManager::Impl : std::enable_shared_from_this<Impl> {
  Impl(boost::asio::io_context& io, Instance& what, ServiceManagerFacts given)
      : instance(what), facts(std::move(given)), socket(facts.socket), timer(io) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // What the status follows from. Looked at for each log line too, so it is a few bytes and no sentence.
  std::vector<std::uint8_t> key() const {
    const engine::View& view = instance.view();
    std::vector<std::uint8_t> states = {static_cast<std::uint8_t>(view.state), view.ready};
    for (const engine::ServiceView& each : view.services)
      states.push_back(static_cast<std::uint8_t>(each.state));
    return states;
  }

  // What was not taken is unsaid, and said again at the next change or sign of life.
  void look() {
    std::vector<std::uint8_t> now = key();
    if (told == now) return;
    const engine::View& view = instance.view();
    const bool ready = view.opened && !ready_told;
    const bool stopping = view.state == engine::PodState::stopping && !stopping_told;
    std::string sentence = engine::why_pod(view, instance.now());
    instance.redact(sentence);
    if (!socket.send(fmt::format("{}{}STATUS={}\n", ready ? "READY=1\n" : "", stopping ? "STOPPING=1\n" : "",
                                 sentence)))
      return;
    told = std::move(now);
    ready_told = ready_told || ready;
    stopping_told = stopping_told || stopping;
  }

  void show_life() {
    look();
    socket.send("WATCHDOG=1\n");
    timer.expires_after(std::max(*facts.watchdog / 2, std::chrono::microseconds(1000)));
    timer.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      const auto self = weak.lock();
      if (self && !error) self->show_life();
    });
  }

  Instance& instance;
  ServiceManagerFacts facts;
  ManagerSocket socket;
  boost::asio::steady_timer timer;
  std::uint64_t subscription = 0;
  std::vector<std::uint8_t> told;  // the key of the last status
  bool ready_told = false;
  bool stopping_told = false;
};

ServiceManager::ServiceManager(boost::asio::io_context& io, Instance& instance, ServiceManagerFacts facts)
    : impl_(std::make_shared<Impl>(io, instance, std::move(facts))) {
  impl_->subscription = instance.subscribe([weak = std::weak_ptr(impl_)] {
    if (const auto self = weak.lock()) self->look();
  });
  impl_->look();
  if (impl_->facts.watchdog) impl_->show_life();
}

ServiceManager::~ServiceManager() { impl_->instance.unsubscribe(impl_->subscription); }

}  // namespace arizuko::host
