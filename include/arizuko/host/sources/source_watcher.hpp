// Says when the plan's sources may have changed: directories (the kubelet's layout and plain ones) and
// dotenv files. It reads names and metadata, never a value: its owner reads the sources anew and
// compares, for content decides, never mtime.
//
// What is watched are directories, by inotify (kubernetes.md, "A Secret or ConfigMap volume": a watch on
// a file dies at each swap). Of a directory source: the directory, where `..data` is switched, and what
// `..data` points to; names that begin with a dot are nothing that the reader reads, `..data` aside. Of a
// dotenv file: its directory, for its name (editors save by rename). On the way there: each directory
// that holds a symbolic link of the path, for that link; and when something is missing, the nearest
// directory that exists, for the missing name. A watch that is lost is set up again.
//
// The second net, for file systems and mounts that deliver no events, and for a renamed directory
// further up: the metadata of all sources is compared every 30 s. That timer runs only where there is a
// directory or dotenv source; without one, nothing is open and nothing wakes up. Where inotify is
// refused (a limit, a directory that may be searched but not listed) it runs every 2 s, see trouble().
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "arizuko/plan/plan.hpp"

namespace arizuko::host {

/// The defaults are the program's; tests go faster.
struct SourceRhythm {
  std::chrono::milliseconds debounce{100};  // quiet for this long: it is told
  std::chrono::milliseconds longest{500};   // told this long after the first event, quiet or not
  std::chrono::milliseconds compare{30'000};
  std::chrono::milliseconds compare_in_trouble{2'000};
};

class SourceWatcher {
 public:
  /// `cause` is a line for people: "dir:/etc/arizuko/secrets: ..data was switched". It holds names of
  /// keys, never a value.
  using Changed = std::function<void(std::string cause)>;

  /// `changed` is called on the loop, never from inside a call to the watcher, and may do anything to
  /// it, also destroy it. What changes from here on is told: read the sources after this, not before.
  SourceWatcher(boost::asio::io_context& io, const std::vector<plan::Source>& sources, Changed changed,
                SourceRhythm rhythm = {});
  ~SourceWatcher();
  SourceWatcher(const SourceWatcher&) = delete;
  SourceWatcher& operator=(const SourceWatcher&) = delete;

  /// As at construction: read the sources afterwards. A change that was seen before is still told.
  void set_sources(const std::vector<plan::Source>& sources);

  /// The end is near: nothing is told any more. The kernel waits in close(2) until it has forgotten each
  /// watch, 4 to 16 ms (fsnotify_wait_marks_destroyed); what is taken away here it forgets while the services
  /// stop.
  void release();

  /// When the first event of the change that was told last came.
  std::chrono::steady_clock::time_point first_event() const;

  /// Why changes are seen late, in one line for people; empty while every source is watched. It may
  /// change whenever the loop runs.
  std::string trouble() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // what is under way on the loop holds it weakly
};

}  // namespace arizuko::host
