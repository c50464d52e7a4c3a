// What has happened, on its way to the engine: heard in this order, one after the other.
#pragma once

#include "arizuko/engine/event.hpp"

namespace arizuko::host {

class Inbox {
 public:
  virtual ~Inbox() = default;
  /// Heard when what is carried out at present is done. For who is called in such a turn, or ends one with
  /// go_on().
  virtual void put(engine::Event event) = 0;
  /// Heard now, and what follows is carried out, unless that is under way already.
  virtual void push(engine::Event event) = 0;
  /// Heard in the next turn of the loop: for who may be called from the middle of something.
  virtual void push_soon(engine::Event event) = 0;
  /// What was put is heard now.
  virtual void go_on() = 0;
  /// Nothing waits to be heard or carried out.
  virtual bool all_is_done() const = 0;
};

}  // namespace arizuko::host
