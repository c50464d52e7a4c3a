// The instant that an event came at, what is asked of the world because of it, and the history.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "arizuko/engine/action.hpp"

namespace arizuko::engine {

class Record {
 public:
  /// An event begins; an instant before the last one counts as the last one.
  void begin(Instant now, std::vector<Action>& actions) {
    now_ = std::max(now_, now);
    actions_ = &actions;
  }
  void end() { actions_ = nullptr; }

  Instant now() const { return now_; }
  void emit(Action action) { actions_->push_back(std::move(action)); }
  /// Numbers it.
  void note(Note note) {
    note.seq = ++seq_;
    emit(std::move(note));
  }

 private:
  Instant now_{};
  std::vector<Action>* actions_ = nullptr;  // between begin() and end()
  std::uint64_t seq_ = 0;
};

}  // namespace arizuko::engine
