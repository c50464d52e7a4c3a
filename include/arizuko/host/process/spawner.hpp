// Starts children, exactly as promised: own session, clean signal state, three descriptors, limits,
// user, working directory, explicit environment. Nothing else of arizuko-init reaches them.
//
// By Boost.Process, with a launcher of our own (session_launcher.hpp): the child shares our memory until it
// executes, so that no page table is copied, whatever our size. No handle is kept: who reaps is the
// ProcessTable.
#pragma once

#include <expected>
#include <memory>

#include <sys/types.h>

#include <boost/asio/io_context.hpp>

#include "arizuko/host/process/child_spec.hpp"
#include "arizuko/host/process/spawn_error.hpp"

namespace arizuko::host {

class Spawner {
 public:
  /// Takes three descriptors and an address range for good, and reads which signals are not at SIG_DFL. Make
  /// it early: a child is given a copy of the descriptors that lie below these three, not of those above.
  explicit Spawner(boost::asio::io_context& io);
  ~Spawner();
  Spawner(const Spawner&) = delete;
  Spawner& operator=(const Spawner&) = delete;

  /// Call after each change of a signal's disposition: a child sets back those that were changed when this
  /// was last called. (To read them at each start would cost a fifth of it.)
  void dispositions_changed();

  /// Starts the child and returns its process id once execve has succeeded. Blocks for the time of the
  /// fork and exec. After a failure no child is left; one that is killed before execve is a failure, too.
  /// errno, the signal mask and the descriptors of this process are as before.
  std::expected<pid_t, SpawnError> spawn(const ChildSpec& spec);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace arizuko::host
