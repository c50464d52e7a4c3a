#include "arizuko/host/sources/source_watcher.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "arizuko/env/name.hpp"
#include "arizuko/host/sources/environment_reader.hpp"
#include "source_metadata.hpp"
#include "source_way.hpp"

namespace arizuko::host {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t events_of_interest =
    IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF |
    IN_MOVE_SELF;  // IN_UNMOUNT, IN_IGNORED and IN_Q_OVERFLOW come unasked: inotify(7)
constexpr std::uint32_t loss_of_watch = IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED;

constexpr std::size_t read_bytes = 16 * 1024;
constexpr int max_reads = 4;   // in a row, before the loop is left to the others
constexpr int max_rounds = 4;  // of setting up watches while directories come and go

// --- words ---------------------------------------------------------------------------------------

std::string what_happened(const inotify_event& event, std::string_view name) {
  if ((event.mask & loss_of_watch) != 0) return "a directory on the way was removed, moved or unmounted";
  if (name == data_link && (event.mask & (IN_MOVED_TO | IN_CREATE)) != 0) return "..data was switched";
  // A name out of a directory may hold anything.
  const std::string_view shown = env::is_valid_name(name) ? name : std::string_view("an entry");
  if ((event.mask & (IN_MOVED_TO | IN_CREATE)) != 0) return fmt::format("{} was placed", shown);
  if ((event.mask & (IN_MOVED_FROM | IN_DELETE)) != 0) return fmt::format("{} was taken away", shown);
  if ((event.mask & IN_CLOSE_WRITE) != 0) return fmt::format("{} was written", shown);
  return fmt::format("mode or owner of {} was changed", name.empty() ? "the directory" : shown);
}

std::string why_refused(int error) {
  switch (error) {
    case ENOSPC: return "the limit of watches is reached (sysctl fs.inotify.max_user_watches)";
    case EMFILE:
      return "the limit of inotify instances or of this process's descriptors is reached (sysctl "
             "fs.inotify.max_user_instances, ulimit -n)";
    case EACCES: return "this uid may not list it";
    default: return std::strerror(error);
  }
}

}  // namespace

// -------------------------------------------------------------------------------------------------

struct SourceWatcher::Impl : std::enable_shared_from_this<Impl> {
  struct Interest {
    std::size_t source = 0;  // index into sources
    Place place;
  };
  using Watches = std::map<int, std::vector<Interest>>;  // by watch descriptor

  struct State {
    explicit State(plan::Source wanted) : source(std::move(wanted)) {}
    plan::Source source;
    bool present = false;
    bool rewired = false;  // a directory was watched for it that was not watched before
    std::optional<std::uint64_t> fingerprint;
  };

  /// What one batch of events says of a source.
  struct Touch {
    std::string what;
    bool settled = false;  // something of it is complete; else only files that are being written
  };

  Impl(asio::io_context& io, Changed call, SourceRhythm given)
      : changed(std::move(call)), rhythm(given), inotify(io), debounce_timer(io), compare_timer(io) {}

  // --- watches -----------------------------------------------------------------------------------

  bool open_inotify() {
    if (inotify.is_open()) return true;
    const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0) {
      refused("the sources", errno);
      return false;
    }
    boost::system::error_code error;
    inotify.assign(fd, error);
    if (error) {
      ::close(fd);
      refused("the sources", error.value());
      return false;
    }
    wait_for_events();
    return true;
  }

  void close_inotify() {
    boost::system::error_code ignored;
    inotify.close(ignored);
    ++opening;
    watches.clear();
  }

  void refused(std::string_view what, int error) {
    if (!trouble.empty()) return;  // the first one is enough
    const std::chrono::duration<double> pause = rhythm.compare_in_trouble;
    trouble = fmt::format("cannot watch {}: {}; the sources are compared every {:g} s instead", what,
                          why_refused(error), pause.count());
  }

  /// Makes the watches those that the sources need now. What appears while this is at work is either
  /// found by the next round or told by a watch that was set before.
  void set_up() {
    trouble.clear();
    if (sources.empty()) return close_inotify();
    for (State& state : sources) {
      state.present = way_to(state.source).present;
      state.rewired = false;
    }
    if (!open_inotify()) return;
    for (int round = 1; round <= max_rounds; ++round) {
      trouble.clear();
      const Round now = watch_ways();
      if (now.error != 0) refused(now.directory, now.error);
      const bool vanished = now.error == ENOENT || now.error == ENOTDIR || now.error == ELOOP;
      if (!now.added && !vanished) return;
    }
  }

  struct Round {
    bool added = false;  // a directory that was not watched before
    int error = 0;       // of the first directory that could not be watched
    std::string directory;
  };

  Round watch_ways() {
    Round round;
    Watches wanted;
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const Way way = way_to(sources[i].source);
      sources[i].present = way.present;
      for (const Place& place : way.places) {
        // The same directory gives the same descriptor again: inotify_add_watch(2).
        const int watch = ::inotify_add_watch(inotify.native_handle(), place.directory.c_str(),
                                              events_of_interest | IN_ONLYDIR | IN_DONT_FOLLOW);
        if (watch < 0) {
          if (round.error == 0) round = {round.added, errno, place.directory};
          continue;
        }
        if (!watches.contains(watch)) round.added = sources[i].rewired = true;
        wanted[watch].push_back({i, place});
      }
    }
    for (const auto& [watch, interests] : watches) {
      if (!wanted.contains(watch)) ::inotify_rm_watch(inotify.native_handle(), watch);
    }
    watches = std::move(wanted);
    return round;
  }

  // --- events --------------------------------------------------------------------------------------

  void wait_for_events() {
    inotify.async_wait(asio::posix::stream_descriptor::wait_read,
                       [weak = weak_from_this(), mine = opening](const boost::system::error_code& error) {
                         const auto self = weak.lock();
                         if (!self || error || self->opening != mine) return;
                         self->read_events();
                         if (self->inotify.is_open() && self->opening == mine) self->wait_for_events();
                       });
  }

  void read_events() {
    std::map<std::size_t, Touch> touched;
    alignas(inotify_event) std::array<char, read_bytes> buffer;
    for (int reads = 0; reads < max_reads; ++reads) {
      const ssize_t got = ::read(inotify.native_handle(), buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) break;
      if (got <= 0) {  // no such error is known: begin anew
        close_inotify();
        for (std::size_t i = 0; i < sources.size(); ++i) touch(touched, i, "its watch was lost", true);
        break;
      }
      note_events({buffer.data(), static_cast<std::size_t>(got)}, touched);
    }
    if (!touched.empty()) apply(touched);
  }

  void note_events(std::string_view bytes, std::map<std::size_t, Touch>& touched) {
    while (bytes.size() >= sizeof(inotify_event)) {
      inotify_event event{};
      std::memcpy(&event, bytes.data(), sizeof event);
      const std::size_t length = sizeof event + event.len;
      if (length > bytes.size()) return;
      // Padded with NUL bytes.
      const std::string_view padded = bytes.substr(sizeof event, event.len);
      note_event(event, padded.substr(0, padded.find('\0')), touched);
      bytes.remove_prefix(length);
    }
  }

  void note_event(const inotify_event& event, std::string_view name, std::map<std::size_t, Touch>& touched) {
    if ((event.mask & IN_Q_OVERFLOW) != 0) {
      for (std::size_t i = 0; i < sources.size(); ++i) touch(touched, i, "events were lost", true);
      return;
    }
    const auto found = watches.find(event.wd);
    if (found == watches.end()) return;  // of a watch that was given up
    const bool lost = (event.mask & loss_of_watch) != 0;
    for (const Interest& interest : found->second) {
      if (!lost && !is_meant(event, interest.place, name)) continue;
      touch(touched, interest.source, what_happened(event, name),
            lost || is_complete(event, interest.place, name));
    }
    if ((event.mask & (IN_IGNORED | IN_UNMOUNT)) != 0) watches.erase(found);
  }

  static bool is_meant(const inotify_event& event, const Place& place, std::string_view name) {
    if (!place.name.empty()) return name == place.name;
    if (name.empty()) return true;  // the directory itself
    return matters(name) && (event.mask & IN_ISDIR) == 0;
  }

  /// A regular file that was just created is about to be written: IN_CLOSE_WRITE tells its end. (Links
  /// are complete at once. A hard link looks the same and gets no such event: it waits the whole time.)
  static bool is_complete(const inotify_event& event, const Place& place, std::string_view name) {
    if ((event.mask & IN_CREATE) == 0) return true;
    struct stat status{};
    return ::lstat(join(place.directory, std::string(name)).c_str(), &status) != 0 ||
           !S_ISREG(status.st_mode);
  }

  static void touch(std::map<std::size_t, Touch>& touched, std::size_t source, std::string what,
                    bool settled) {
    Touch& touch = touched[source];
    if (touch.what.empty() || what.starts_with(data_link)) touch.what = std::move(what);
    touch.settled |= settled;
  }

  void apply(const std::map<std::size_t, Touch>& touched) {
    std::vector<bool> before;
    for (const State& state : sources) before.push_back(state.present);
    set_up();
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const State& state = sources[i];
      const auto found = touched.find(i);
      const auto quiet = found == touched.end() || found->second.settled ? rhythm.debounce : rhythm.longest;
      if (state.present != before[i]) {  // also when the event of it is still to be read
        expect(state, state.present ? "appeared" : "is gone", quiet);
      } else if (state.present && found != touched.end()) {
        expect(state, found->second.what, quiet);
      } else if (state.present && state.rewired) {  // what is still to be read was of the former watch
        expect(state, "was replaced", quiet);
      }  // else a step on the way to a source that is still not there: empty it was, empty it is
    }
    arm_comparison(trouble.empty() ? Rearm::keep : Rearm::sooner);
  }

  // --- telling ---------------------------------------------------------------------------------------

  void expect(const State& state, std::string_view what, std::chrono::milliseconds quiet) {
    const auto now = Clock::now();
    if (causes.empty()) first_event = now;
    std::string& cause = causes[plan::to_text(state.source)];
    if (cause.empty() || what.starts_with(data_link)) cause = what;
    debounce_timer.expires_at(std::min(first_event + rhythm.longest, now + quiet));
    debounce_timer.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      const auto self = weak.lock();
      if (!self || error || self->closed || self->causes.empty()) return;
      if (Clock::now() >= self->debounce_timer.expiry()) self->tell();
    });
  }

  void tell() {
    // Before the owner reads: what comes after this look is different at the next one.
    for (State& state : sources) note_fingerprint(state);
    std::string cause;
    for (const auto& [source, what] : std::exchange(causes, {})) {
      cause += fmt::format("{}{}: {}", cause.empty() ? "" : "; ", source, what);
    }
    const Changed call = changed;  // it may destroy us
    call(std::move(cause));
  }

  // --- the slow comparison ---------------------------------------------------------------------------

  /// Whether it differs from the last look.
  static bool note_fingerprint(State& state) {
    const auto fresh = fingerprint_of(state.source);
    if (!fresh) return false;  // could not look: the next time
    const bool differs = state.fingerprint && *state.fingerprint != *fresh;
    state.fingerprint = fresh;
    return differs;
  }

  enum class Rearm { anew, keep, sooner };

  void arm_comparison(Rearm rearm) {
    if (sources.empty()) {
      compare_timer.cancel();
      return;
    }
    const auto due = Clock::now() + (trouble.empty() ? rhythm.compare : rhythm.compare_in_trouble);
    if (rearm == Rearm::keep || (rearm == Rearm::sooner && compare_timer.expiry() <= due)) return;
    compare_timer.expires_at(due);
    compare_timer.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      const auto self = weak.lock();
      if (!self || error || self->closed) return;
      if (Clock::now() >= self->compare_timer.expiry()) self->compare();
    });
  }

  void compare() {
    set_up();
    for (State& state : sources) {
      if (note_fingerprint(state)) expect(state, "found changed by the slow comparison", rhythm.debounce);
    }
    arm_comparison(Rearm::anew);
  }

  // --- coming and going ------------------------------------------------------------------------------

  void set_sources(const std::vector<plan::Source>& wanted) {
    if (closed) return;
    sources.clear();
    for (const plan::Source& source : wanted) {
      if (source.kind != plan::Source::Kind::environment) sources.emplace_back(source);
    }
    set_up();
    for (State& state : sources) note_fingerprint(state);
    arm_comparison(Rearm::anew);
  }

  void release() {
    closed = true;
    sources.clear();
    if (inotify.is_open()) {
      boost::system::error_code ignored;
      inotify.cancel(ignored);
      for (const auto& [watch, interests] : watches) ::inotify_rm_watch(inotify.native_handle(), watch);
    }
    ++opening;
    watches.clear();
    debounce_timer.cancel();
    compare_timer.cancel();
  }

  void close() {
    closed = true;
    sources.clear();
    close_inotify();
    debounce_timer.cancel();
    compare_timer.cancel();
  }

  Changed changed;
  SourceRhythm rhythm;
  asio::posix::stream_descriptor inotify;
  std::uint64_t opening = 0;  // counts them: a handler of an earlier one does nothing
  asio::steady_timer debounce_timer;
  asio::steady_timer compare_timer;
  std::vector<State> sources;  // those with a path
  Watches watches;
  std::string trouble;
  std::map<std::string, std::string> causes;  // by source; not told yet
  Clock::time_point first_event{};
  bool closed = false;
};

SourceWatcher::SourceWatcher(asio::io_context& io, const std::vector<plan::Source>& sources, Changed changed,
                             SourceRhythm rhythm)
    : impl_(std::make_shared<Impl>(io, std::move(changed), rhythm)) {
  impl_->set_sources(sources);
}

SourceWatcher::~SourceWatcher() { impl_->close(); }

void SourceWatcher::release() { impl_->release(); }

void SourceWatcher::set_sources(const std::vector<plan::Source>& sources) { impl_->set_sources(sources); }

std::chrono::steady_clock::time_point SourceWatcher::first_event() const { return impl_->first_event; }

std::string SourceWatcher::trouble() const { return impl_->trouble; }

}  // namespace arizuko::host
