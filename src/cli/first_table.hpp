// The table of services that a run shows on a console when everything is up for the first time.
#pragma once

#include <cstdint>

#include <boost/asio/io_context.hpp>

#include "arizuko/engine/view.hpp"
#include "arizuko/host/supervisor/instance.hpp"
#include "render.hpp"

namespace arizuko::cli {

class FirstTable {
 public:
  FirstTable(boost::asio::io_context& io, host::Instance& instance, Colour colour);
  ~FirstTable();
  FirstTable(const FirstTable&) = delete;
  FirstTable& operator=(const FirstTable&) = delete;

 private:
  void look();
  void show();
  void unsubscribe();

  boost::asio::io_context& io_;
  host::Instance& instance_;
  Colour colour_;
  bool shown_ = false;
  std::uint64_t subscription_ = 0;
};

}  // namespace arizuko::cli
