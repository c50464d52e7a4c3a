// Reloads the running instance when its plan file, or a drop-in beside it, has another content.
#pragma once

#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>

#include "arizuko/host/sources/source_watcher.hpp"
#include "arizuko/host/supervisor/supervisor.hpp"

namespace arizuko::cli {

/// As long as it lives. Content decides: a file that is only touched reloads nothing; one that is wrong is
/// refused whole, and looked at again at its next change.
class PlanFileWatch {
 public:
  /// `path`: the plan file; its drop-ins are in `<path>.d/`.
  PlanFileWatch(boost::asio::io_context& io, const std::string& path, host::Supervisor& supervisor);

  /// Looks no more: the instance stops.
  void release() { watcher_->release(); }

 private:
  void look(const std::string& cause);
  std::string text() const;

  std::string path_;
  host::Supervisor& supervisor_;
  std::string seen_;
  std::unique_ptr<host::SourceWatcher> watcher_;
};

}  // namespace arizuko::cli
