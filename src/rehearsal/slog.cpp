#include "slog.hpp"

#include <fmt/format.h>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <poll.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>

namespace rehearsal {
namespace {

std::string_view level_name(Level level, LogShape shape) {
  const bool small = shape == LogShape::LowerCase;
  switch (level) {
    case Level::Info: return small ? "info" : "INFO";
    case Level::Warn: return small ? "warn" : "WARN";
    case Level::Error: return small ? "error" : "ERROR";
  }
  return "INFO";
}

std::string calendar(const char* format) {
  std::timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  std::tm parts{};
  ::gmtime_r(&now.tv_sec, &parts);
  std::array<char, 32> text{};
  const auto size = std::strftime(text.data(), text.size(), format, &parts);
  return std::string(text.data(), size);
}

std::string rfc3339_nano() {
  std::timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  std::tm parts{};
  ::gmtime_r(&now.tv_sec, &parts);
  std::array<char, 32> text{};
  const auto size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  return fmt::format("{}.{:09}Z", std::string_view(text.data(), size), now.tv_nsec);
}

// slog's TextHandler quotes a value when it holds a space, a quote, '=' or a control character.
std::string logfmt_value(const boost::json::value& value) {
  if (!value.is_string()) return boost::json::serialize(value);
  const std::string_view text{value.get_string().data(), value.get_string().size()};
  const bool plain = !text.empty() && text.find_first_of(" \"=\n\t\r") == std::string_view::npos;
  return plain ? std::string(text) : boost::json::serialize(value);
}

}  // namespace

void write_all(int descriptor, std::string_view line) {
  while (!line.empty()) {
    const auto written = ::write(descriptor, line.data(), line.size());
    if (written >= 0) {
      line.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      pollfd ready{descriptor, POLLOUT, 0};
      ::poll(&ready, 1, -1);
    } else if (errno == EPIPE) {
      ::signal(SIGPIPE, SIG_DFL);
      ::raise(SIGPIPE);
      return;
    } else if (errno != EINTR) {
      return;
    }
  }
}

void Log::text(Level level, std::string_view line) const {
  write_all(
      2, fmt::format("{} {} {}\n", calendar("%Y/%m/%d %H:%M:%S"), level_name(level, LogShape::Slog), line));
}

void Log::write(Level level, std::string_view msg, Attrs attrs) const {
  if (shape_ == LogShape::Logfmt) {
    boost::json::value quoted = boost::json::string(msg.data(), msg.size());
    std::string line = fmt::format("time={} level={} msg={}", rfc3339_nano(), level_name(level, shape_),
                                   logfmt_value(quoted));
    for (const auto& attr : attrs) line += fmt::format(" {}={}", attr.key, logfmt_value(attr.value));
    write_all(2, line + " rehearsal=true\n");
    return;
  }
  boost::json::object line;
  line["time"] = rfc3339_nano();
  const auto name = level_name(level, shape_);
  line["level"] = boost::json::string(name.data(), name.size());
  line["msg"] = boost::json::string(msg.data(), msg.size());
  for (const auto& attr : attrs) {
    line[boost::json::string_view(attr.key.data(), attr.key.size())] = attr.value;
  }
  line["rehearsal"] = true;
  write_all(2, boost::json::serialize(line) + "\n");
}

}  // namespace rehearsal
