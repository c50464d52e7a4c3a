// Who wants to be told that there is something new: once a turn of the loop, however much there is.
#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include <boost/asio/io_context.hpp>

namespace arizuko::host {

class Subscribers {
 public:
  /// `first` is called before them.
  Subscribers(boost::asio::io_context& io, std::function<void()> first);

  std::uint64_t add(std::function<void()> changed);
  void remove(std::uint64_t subscription) { list_.erase(subscription); }
  bool empty() const { return list_.empty(); }

  void tell_soon();
  /// Now, and never again.
  void tell_the_end();

 private:
  void tell();

  boost::asio::io_context& io_;
  std::function<void()> first_;
  std::map<std::uint64_t, std::function<void()>> list_;
  std::uint64_t last_ = 0;
  bool posted_ = false;
  bool over_ = false;
};

}  // namespace arizuko::host
