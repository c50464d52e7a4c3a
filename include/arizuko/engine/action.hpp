// What to do: everything the engine ever asks of the world. Carried out in order, each at most once.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "arizuko/engine/cause.hpp"
#include "arizuko/engine/event.hpp"
#include "arizuko/engine/state.hpp"
#include "arizuko/engine/what.hpp"

namespace arizuko::engine {

/// Start this run with the environment of exactly this snapshot. Answered by Spawned or SpawnFailed.
struct Spawn {
  RunId run;
  env::SnapshotPtr snapshot;
};

enum class Target {
  main,       // the main process only (T22)
  leftovers,  // each process of the tree, but not a main process
};

/// Send a signal; SIGCONT follows SIGTERM and SIGKILL so that a stopped process dies of it.
struct Signal {
  RunId run;
  Target target;
  int number;
};

/// Begin to watch a condition; see watch_numbers. Answered by ConditionChanged.
struct Watch {
  RunId run;
  std::uint32_t watch;
};

struct Unwatch {
  RunId run;
  std::uint32_t watch;
};

/// A task has succeeded and was verified: remember it, so that it is not taken for one cut short, and
/// read the sources anew, for it may have written one (`arizuko create` writes .env). Answered by
/// EnvironmentChanged, also when nothing changed; what comes after the task waits for that.
struct TaskDone {
  ServiceId service;
};

/// Read the sources anew, for something that was held back may be taken now. Answered by
/// EnvironmentChanged, again; when nothing can be read, by the values that were read last.
struct ReadSources {
  enum class For {
    operator_,  // who accepted a value, or wants one tried again
    rest,       // of a generation of which some values were not borne
    retry,      // the one retry of what was not borne is due
  };
  For what;
};

/// The files that a service keeps of a login with the value of `key` (plan: `cached`): while they are there,
/// a new value is not tried. Before the Spawn that it concerns.
struct LoginFiles {
  enum class Do {
    set_aside,  // the value changed
    drop,       // what a third value left; the first one's are still aside
    put_back,   // the way back
    forget,     // the new value is good: what was set aside can go
  };
  Do what;
  ServiceId service;
  std::string key;
};

/// A service is started with this value of a guarded key (unset: with none): remember what it is like,
/// so that a change is noticed at the next run, too. The snapshot holds what the services see under that
/// name (env::seen_values), and nothing else. Comes before the Spawn.
struct Remember {
  std::string key;
  env::SnapshotPtr snapshot;
};

/// One line of history. `seq` counts from 1 without gaps.
struct Note {
  std::uint64_t seq = 0;
  What what = What::state_changed;
  std::string service{};  // empty: the pod
  std::optional<State> from{};
  std::optional<State> to{};
  std::string cause{};                 // never empty; for people
  std::optional<Why> why{};            // of a change of state: the cause's code
  std::optional<Why> origin{};         // and the code of what began it
  env::Generation generation = 0;      // what it is about; 0: none
  env::Generation back_to = 0;         // of a way back: to these values
  std::optional<ServiceId> culprit{};  // of a way back: who failed
};

/// The run is over. Always the last action.
struct Exit {
  int code;             // design.md section 5: 0 69 70 73 75 78
  std::string verdict;  // one sentence
  std::string culprit;  // the service it is about, or empty
};

using Action =
    std::variant<Spawn, Signal, Watch, Unwatch, TaskDone, ReadSources, LoginFiles, Remember, Note, Exit>;

/// The watches of a service are numbered: its `ready` conditions from 0, then its `live` conditions,
/// then (tasks) whether `creates` exists, then each of `verify`.
struct WatchNumbers {
  std::uint32_t ready = 0;
  std::uint32_t live = 0;
  std::uint32_t creates = 0;
  std::uint32_t verify = 0;
  std::uint32_t end = 0;
};
WatchNumbers watch_numbers(const plan::Service& service);
/// The condition that a watch number stands for.
plan::Condition watched_condition(const plan::Service& service, std::uint32_t watch);

}  // namespace arizuko::engine
