// The one file that sees spdlog, by its headers: Debian has no static libspdlog.
#include "own_log.hpp"

#define SPDLOG_FMT_EXTERNAL
#include <spdlog/logger.h>
#include <spdlog/sinks/sink.h>

namespace arizuko::host {
namespace {

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug: return spdlog::level::debug;
    case Level::info: return spdlog::level::info;
    case Level::warn: return spdlog::level::warn;
    case Level::error: return spdlog::level::err;
  }
  return spdlog::level::err;
}

Level from_spdlog(spdlog::level::level_enum level) {
  if (level >= spdlog::level::err) return Level::error;
  if (level == spdlog::level::warn) return Level::warn;
  return level == spdlog::level::info ? Level::info : Level::debug;
}

class OwnSink final : public spdlog::sinks::sink {
 public:
  explicit OwnSink(std::function<void(const OwnLine&)> take) : take_(std::move(take)) {}

  void log(const spdlog::details::log_msg& line) override {
    const auto time = std::chrono::duration_cast<std::chrono::nanoseconds>(line.time.time_since_epoch());
    take_({from_spdlog(line.level), {line.payload.data(), line.payload.size()}, time.count()});
  }
  // The output flushes itself, once a turn of the loop, and formats by LogFormatter.
  void flush() override {}
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

 private:
  std::function<void(const OwnLine&)> take_;
};

}  // namespace

struct OwnLog::Impl {
  explicit Impl(std::function<void(const OwnLine&)> take)
      : logger(std::string(own_name), std::make_shared<OwnSink>(std::move(take))) {
    logger.set_level(spdlog::level::debug);
    // The default takes a mutex and writes to stderr, where it may block.
    logger.set_error_handler([this](const std::string&) { ++lost; });
  }

  spdlog::logger logger;
  std::uint64_t lost = 0;
};

OwnLog::OwnLog(std::function<void(const OwnLine&)> take) : impl_(std::make_unique<Impl>(std::move(take))) {}

OwnLog::OwnLog(LogHistory& history, LogOutput& output)
    : OwnLog([&history, &output](const OwnLine& line) {
        history.add(own_name, Stream::err, line.text, line.unix_nanoseconds);
        LogRecord record;
        record.service = own_name;
        record.level = line.level;
        record.text = line.text;
        record.own = true;
        output.write(record);
      }) {}

OwnLog::~OwnLog() = default;

void OwnLog::set_level(Level least) noexcept { impl_->logger.set_level(to_spdlog(least)); }

void OwnLog::write(Level level, std::string_view text) noexcept {
  try {
    impl_->logger.log(to_spdlog(level), spdlog::string_view_t(text.data(), text.size()));
  } catch (const std::exception&) {  // no memory for the error handler either
    ++impl_->lost;
  } catch (...) {  // the handler was told, and then the logger throws it on
  }
}

std::uint64_t OwnLog::lost() const noexcept { return impl_->lost; }

}  // namespace arizuko::host
