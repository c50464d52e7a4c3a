// What every part of the supervisor works with. All of it outlives the parts.
#pragma once

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
  const StateDir& state;

  const plan::Service& service(engine::ServiceId id) const { return engine.plan()->services[id]; }
};

}  // namespace arizuko::host
