// Tells when the plan file, or a drop-in beside it, has another content.
//
// Content decides: a file that is only touched is no news.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>

#include "arizuko/host/sources/source_watcher.hpp"

namespace arizuko::host {

class PlanFileWatch {
 public:
  /// `path`: the plan file; its drop-ins are in `<path>.d/`. `changed` is called on the loop, never from
  /// inside a call to this.
  PlanFileWatch(boost::asio::io_context& io, const std::string& path, std::function<void()> changed);

  /// Looks no more: the instance stops.
  void release() { watcher_->release(); }

 private:
  void look();
  std::string text() const;

  std::string path_;
  std::function<void()> changed_;
  std::string seen_;
  std::unique_ptr<SourceWatcher> watcher_;
};

}  // namespace arizuko::host
