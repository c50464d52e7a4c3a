// What the rotation of values asks of the services, and has them do. The rotation decides about values only
// by these questions, and changes services only by these orders: it can be tried with services that are made
// up.
//
// Passed to each call, and kept by nobody: the engine is a value, and is copied.
#pragma once

#include <vector>

#include "arizuko/engine/action.hpp"
#include "arizuko/engine/cause.hpp"
#include "arizuko/engine/state.hpp"
#include "dependencies.hpp"

namespace arizuko::engine {

class RotatedServices {
 public:
  virtual ~RotatedServices() = default;

  virtual const plan::Plan& plan() const = 0;
  virtual const Dependencies& dependencies() const = 0;
  virtual Instant now() const = 0;

  // --- Questions
  struct Standing {
    State state = State::off;
    bool switched_off = false;  // by an operator
    bool part = true;           // of this instance, with the values in force
    bool serves = false;        // it is ready, or was until a planned restart that is under way
    bool failing = false;       // it failed, and is on its way down
  };
  virtual Standing standing(ServiceId id) const = 0;
  /// Its present run, or its last one, would see another environment with these values. No run yet: false.
  virtual bool would_see_others(ServiceId id, const env::Snapshot& values) const = 0;
  /// Its present run, or its last one, was started with just these.
  virtual bool runs_with(ServiceId id, const env::SnapshotPtr& values) const = 0;
  /// What is bound to it and up, near and far.
  virtual std::vector<ServiceId> up_and_bound(ServiceId id) const = 0;
  virtual Cause last_failure(ServiceId id) const = 0;
  /// The same, with the last words of a main process that failed by itself.
  virtual Cause told(ServiceId id) const = 0;

  // --- Orders
  /// Other values are in force: what they mean for each service. Nothing is restarted for that.
  virtual void values_changed() = 0;
  /// Goes over to the values in force at once, as its plan says: a restart, a signal, another attempt.
  virtual void follow(ServiceId id, const Cause& cause) = 0;
  /// Is restarted, with what is bound to it.
  virtual void restart(ServiceId id, const Cause& cause) = 0;
  /// Is no part of this instance any more: stopped, with what is bound to it.
  virtual void leave(ServiceId id) = 0;
  /// It failed, and not by its own fault: it starts again without a pause.
  virtual void start_again(ServiceId id) = 0;
  /// What its next start will be put down to, if it is on its way to one.
  virtual void explain_start(ServiceId id, const Cause& why) = 0;

  virtual void emit(Action action) = 0;
  /// A line of history; `seq` is given to it.
  virtual void note(Note note) = 0;
};

}  // namespace arizuko::engine
