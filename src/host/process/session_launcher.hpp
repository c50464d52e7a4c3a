// A launcher of Boost.Process v2 whose child shares our memory until it executes.
//
// Initializers run as documented (on_setup, on_exec_setup, on_success, on_error, on_fork_error,
// on_exec_error), those of the library included. What the library's own launchers leave open is shut here:
//
//   - on_exec_setup runs in a child that is in *our* memory. An initializer is let in only when somebody has
//     said what it does to descriptors (`descriptors_of`) and that it throws nothing. None ever runs on our
//     table of descriptors: the launcher leaves that first.
//   - Signals belong to the launcher, which is what blocks them: whatever the initializers are, the child
//     executes with nothing blocked, and with no handler or ignored signal of ours.
//   - A child that ends before execve, killed or not, is a failure with a stage; it is reaped.
//   - The environment begins empty, not as ours: one that is forgotten leaks nothing.
//   - A child ends without exit(3), and nothing of ours is told of a fork: notify_fork would have the child
//     take our epoll apart.
//
// Not for outside of this room: Spawner is.
#pragma once

#include <array>
#include <concepts>
#include <csignal>
#include <filesystem>
#include <type_traits>
#include <utility>

// Boost.Process 1.81 needs these, and does not include them.
#include <boost/asio/execution_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/optional.hpp>
#include <boost/type_traits.hpp>

#include <boost/process/v2/environment.hpp>
#include <boost/process/v2/posix/default_launcher.hpp>
#include <boost/process/v2/process.hpp>
#include <boost/process/v2/start_dir.hpp>
#include <boost/process/v2/stdio.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include "clone_child.hpp"

namespace arizuko::host {

namespace process = boost::process::v2;

/// Which descriptors an initializer's on_exec_setup works with.
enum class Descriptors {
  unknown,  // it is not let in
  none,
  low,  // those below SessionLauncher::first_foreign, which its on_setup has set
  any,  // the whole table is copied for it
};

/// An initializer says it in a member `descriptors`.
template <class Init>
inline constexpr Descriptors descriptors_of = [] {
  if constexpr (requires { Init::descriptors; })
    return Init::descriptors;
  else
    return Descriptors::unknown;
}();
template <>
inline constexpr auto descriptors_of<process::process_environment> = Descriptors::none;  // has on_setup only
template <>
inline constexpr auto descriptors_of<process::process_start_dir> = Descriptors::none;  // CLONE_FS is not set
template <>
inline constexpr auto descriptors_of<process::process_stdio> = Descriptors::any;

/// What a failure of its is called, unless it sets the stage itself; in a member `stage`.
template <class Init>
inline constexpr SpawnStage stage_of = Init::stage;
template <>
inline constexpr auto stage_of<process::process_environment> = SpawnStage::executing;
template <>
inline constexpr auto stage_of<process::process_start_dir> = SpawnStage::entering_the_directory;
template <>
inline constexpr auto stage_of<process::process_stdio> = SpawnStage::placing_descriptors;

template <class Init>
concept OfTheLibrary =
    std::same_as<Init, process::process_environment> || std::same_as<Init, process::process_start_dir> ||
    std::same_as<Init, process::process_stdio>;

template <class Executor>
concept AnExecutor =
    boost::asio::is_executor<Executor>::value || boost::asio::execution::is_executor<Executor>::value;
template <class Context>
concept AContext = std::convertible_to<Context&, boost::asio::execution_context&>;

class SessionLauncher : public process::posix::default_launcher {
 public:
  using Path = std::filesystem::path;
  using Arguments = const char* const*;
  using Error = boost::system::error_code;

  /// `cloner` outlives it and its copies.
  explicit SessionLauncher(Cloner& cloner) : cloner_(&cloner) { env = no_environment.data(); }

  /// Of the last launch. An initializer may refine the stage, before the child is there and in it.
  Progress progress;
  /// Set by an initializer's on_setup: nobody needs a descriptor from here on. 0: nothing is known.
  unsigned first_foreign = 0;
  Birth birth;  // its table is chosen at each launch
  /// What the child sets to SIG_DFL; at least what changed_signals() says.
  SignalBits reset_signals = every_signal;

  // The four forms that Boost.Process calls a launcher by. Arguments and initializers outlive the call. A
  // handle that is not detached kills its process and waits for it.
  template <AContext Context, class Args, class... Inits>
  auto operator()(Context& context, Error& error, const Path& executable, Args&& args, Inits&&... inits)
      -> process::basic_process<typename Context::executor_type> {
    return (*this)(context.get_executor(), error, executable, std::forward<Args>(args),
                   std::forward<Inits>(inits)...);
  }
  template <AContext Context, class Args, class... Inits>
  auto operator()(Context& context, const Path& executable, Args&& args, Inits&&... inits)
      -> process::basic_process<typename Context::executor_type> {
    return (*this)(context.get_executor(), executable, std::forward<Args>(args),
                   std::forward<Inits>(inits)...);
  }
  template <AnExecutor Executor, class Args, class... Inits>
  auto operator()(Executor executor, const Path& executable, Args&& args, Inits&&... inits)
      -> process::basic_process<Executor> {
    Error error;
    auto started =
        (*this)(executor, error, executable, std::forward<Args>(args), std::forward<Inits>(inits)...);
    if (error) throw boost::system::system_error(error, std::string(to_text(progress.stage)));
    return started;
  }
  template <AnExecutor Executor, class Args, class... Inits>
  auto operator()(Executor executor, Error& error, const Path& executable, Args&& args, Inits&&... inits)
      -> process::basic_process<Executor> {
    if (!start(error, executable, std::forward<Args>(args), std::forward<Inits>(inits)...))
      return process::basic_process<Executor>{executor};
    try {
      return process::basic_process<Executor>(executor, pid);
    } catch (...) {  // no memory for the handle: then no child either, which nobody would know of
      ::kill(pid, SIGKILL);
      while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
      }
      pid = -1;
      throw;
    }
  }

 private:
  static constexpr std::array<const char*, 1> no_environment = {nullptr};

  /// True: `pid` has executed. Else `progress` says how far it came.
  template <class Args, class... Inits>
  bool start(Error& error, const Path& executable, Args&& args, Inits&&... inits) {
    static_assert(((descriptors_of<std::remove_cvref_t<Inits>> != Descriptors::unknown) && ...),
                  "say in descriptors_of what this initializer does in a child that shares our memory");
    const ErrnoKept errno_kept;
    argv_.clear();  // 1.81 appends: the second launch would run the command of the first
    argv_buffer_.clear();
    pid = -1;
    progress = {};
    first_foreign = 0;
    env = no_environment.data();
    error.clear();
    Arguments argv = build_argv_(executable, std::forward<Args>(args));
    if (!(set_up(error, executable, argv, inits) && ...)) {
      (tell_error(executable, argv, error, inits), ...);
      return false;
    }
    constexpr bool somebody_needs_all =
        ((descriptors_of<std::remove_cvref_t<Inits>> == Descriptors::any) || ...);
    birth.table = first_foreign != 0 && !somebody_needs_all ? Table::shared : Table::copied;

    Error in_child;  // written there: the memory is one
    auto body = [&]() ARIZUKO_IN_CHILD noexcept -> int {
      progress.stage = SpawnStage::placing_descriptors;
      if (birth.table == Table::shared && !leave_table_in_child(first_foreign)) {
        in_child = last_error();
      } else if ((set_up_child(in_child, executable, argv, inits) && ...)) {
        close_descriptors_at_execve_in_child();
        progress.stage = SpawnStage::resetting_signals;
        open_signals_in_child(reset_signals);
        progress.stage = SpawnStage::executing;
        ::execve(executable.c_str(), const_cast<char* const*>(argv), const_cast<char* const*>(env));
        in_child = last_error();
      }
      progress.failed = true;
      progress.error = in_child.value();
      (tell_exec_error(executable, argv, in_child, inits), ...);
      return 127;
    };
    using Body = decltype(body);
    pid = cloner_->make_child(
        birth,
        [](void* context) ARIZUKO_IN_CHILD noexcept -> int { return (*static_cast<Body*>(context))(); },
        &body, progress);
    if (pid < 0) {
      error.assign(progress.error, boost::system::system_category());
      if (progress.stage == SpawnStage::forking) (tell_fork_error(executable, argv, error, inits), ...);
      (tell_error(executable, argv, error, inits), ...);
      return false;
    }
    (tell_success(executable, argv, inits), ...);
    return true;
  }

  ARIZUKO_IN_CHILD static Error last_error() noexcept { return {errno, boost::system::system_category()}; }

  template <class Init>
  bool set_up(Error& error, const Path& executable, Arguments& argv, Init& init) {
    progress.stage = stage_of<std::remove_cvref_t<Init>>;
    error = process::posix::detail::on_setup(*this, executable, argv, init);
    if (error) {
      progress.failed = true;
      progress.error = error.value();
    }
    return !error;
  }

  template <class Init>
  ARIZUKO_IN_CHILD bool set_up_child(Error& error, const Path& executable, Arguments& argv,
                                     Init& init) noexcept {
    if constexpr (requires { init.on_exec_setup(*this, executable, argv); }) {
      static_assert(
          OfTheLibrary<std::remove_cvref_t<Init>> || noexcept(init.on_exec_setup(*this, executable, argv)),
          "nothing may be thrown in the child");
      progress.stage = stage_of<std::remove_cvref_t<Init>>;
      error = init.on_exec_setup(*this, executable, argv);
    } else {
      // The library skips in silence what it cannot call.
      static_assert(
          !requires { &std::remove_cvref_t<Init>::on_exec_setup; }, "its arguments are not a launcher's");
    }
    return !error;
  }

  // 1.81 looks for these with five arguments and calls them with four, so that it never finds any.
  template <class Init>
  ARIZUKO_IN_CHILD void tell_exec_error(const Path& executable, Arguments& argv, const Error& error,
                                        Init& init) noexcept {
    if constexpr (requires { init.on_exec_error(*this, executable, argv, error); })
      init.on_exec_error(*this, executable, argv, error);
  }
  template <class Init>
  void tell_fork_error(const Path& executable, Arguments& argv, const Error& error, Init& init) {
    if constexpr (requires { init.on_fork_error(*this, executable, argv, error); })
      init.on_fork_error(*this, executable, argv, error);
  }
  template <class Init>
  void tell_error(const Path& executable, Arguments& argv, const Error& error, Init& init) {
    if constexpr (requires { init.on_error(*this, executable, argv, error); })
      init.on_error(*this, executable, argv, error);
  }
  template <class Init>
  void tell_success(const Path& executable, Arguments& argv, Init& init) {
    if constexpr (requires { init.on_success(*this, executable, argv); })
      init.on_success(*this, executable, argv);
  }

  Cloner* cloner_;
};

}  // namespace arizuko::host
