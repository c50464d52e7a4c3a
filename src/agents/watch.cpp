#include "watch.hpp"

namespace arizuko::agents {

WatchPosition::Event WatchPosition::take(const json::value& event) {
  const auto type = text_at(event, {"type"});
  const auto* object = value_at(event, {"object"});
  if (type == "ERROR" || object == nullptr) {
    if (number_at(event, {"object", "code"}) != 410) return {Kind::failed, nullptr};
    forgotten();
    return {Kind::forgotten, nullptr};
  }
  if (auto version = text_at(*object, {"metadata", "resourceVersion"}); !version.empty())
    version_ = std::move(version);
  if (type == "BOOKMARK") return {Kind::nothing, nullptr};
  return {type == "DELETED" ? Kind::gone : Kind::changed, object};
}

void LineBuffer::feed(std::string_view bytes, const std::function<void(std::string_view)>& on_line) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const auto part = bytes.substr(0, end);
    if (line_.size() + part.size() > most_bytes_) too_long_ = true;
    if (!too_long_) line_ += part;
    if (end == std::string_view::npos) return;
    if (!too_long_) on_line(line_);
    line_.clear();
    too_long_ = false;
    bytes.remove_prefix(end + 1);
  }
}

}  // namespace arizuko::agents
