// What every part of the supervisor works with; it outlives them all.
#pragma once

#include <string>
#include <utility>

#include <boost/asio/io_context.hpp>

#include "arizuko/engine/engine.hpp"
#include "host/state/task_marks.hpp"
#include "inbox.hpp"
#include "reporter.hpp"

namespace arizuko::host {

struct Context {
  boost::asio::io_context& io;
  const engine::Engine& engine;  // to be looked at; what happens is told by the inbox
  Inbox& inbox;
  Reporter& reporter;
  TaskMarks& marks;
  StateDir state;

  /// For what the engine is told.
  env::Washed washed(env::Foreign text) const { return reporter.washer().wash(std::move(text)); }
  env::Washed washed(std::string text) const { return washed(env::Foreign(std::move(text))); }

  const plan::Service& service(engine::ServiceId id) const { return engine.plan()->services[id]; }
};

}  // namespace arizuko::host
