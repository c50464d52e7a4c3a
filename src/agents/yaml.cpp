#include "yaml.hpp"

#include <fmt/format.h>
#include <yaml.h>

#include <optional>

namespace arizuko::agents {
namespace {

constexpr int most_nesting = 16;

class Reader {
 public:
  explicit Reader(const std::string& text) {
    yaml_parser_initialize(&parser_);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  ~Reader() {
    yaml_event_delete(&event_);
    yaml_parser_delete(&parser_);
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  std::expected<json::value, std::string> document() {
    do {
      if (!next()) return std::unexpected(error_);
    } while (event_.type == YAML_STREAM_START_EVENT || event_.type == YAML_DOCUMENT_START_EVENT);
    auto out = value(0);
    if (!out) return std::unexpected(error_);
    return std::move(*out);
  }

 private:
  bool next() {
    yaml_event_delete(&event_);
    if (yaml_parser_parse(&parser_, &event_) != 0) return true;
    error_ = fmt::format("line {}: {}", parser_.problem_mark.line + 1,
                         parser_.problem == nullptr ? "not YAML" : parser_.problem);
    return false;
  }

  std::optional<json::value> refuse(std::string_view what) {
    error_ = fmt::format("line {}: {}", event_.start_mark.line + 1, what);
    return std::nullopt;
  }

  std::string scalar() const {
    return {reinterpret_cast<const char*>(event_.data.scalar.value), event_.data.scalar.length};
  }

  /// Of the current event. Numbers stay text: a kubeconfig has none.
  std::optional<json::value> value(int depth) {
    if (depth > most_nesting) return refuse("nested too deep");
    if (event_.type == YAML_SCALAR_EVENT) {
      const auto text = scalar();
      const bool plain = event_.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
      if (plain && (text == "true" || text == "false")) return json::value(text == "true");
      return json::value(json_text(text));
    }
    if (event_.type == YAML_SEQUENCE_START_EVENT) return list(depth);
    if (event_.type == YAML_MAPPING_START_EVENT) return table(depth);
    return refuse("anchors and empty documents are not supported");
  }

  std::optional<json::value> list(int depth) {
    json::array out;
    for (;;) {
      if (!next()) return std::nullopt;
      if (event_.type == YAML_SEQUENCE_END_EVENT) return out;
      auto item = value(depth + 1);
      if (!item) return std::nullopt;
      out.push_back(std::move(*item));
    }
  }

  std::optional<json::value> table(int depth) {
    json::object out;
    for (;;) {
      if (!next()) return std::nullopt;
      if (event_.type == YAML_MAPPING_END_EVENT) return out;
      if (event_.type != YAML_SCALAR_EVENT) return refuse("a key must be plain text");
      const auto key = scalar();
      if (!next()) return std::nullopt;
      auto item = value(depth + 1);
      if (!item) return std::nullopt;
      out[boosted(key)] = std::move(*item);
    }
  }

  yaml_parser_t parser_{};
  yaml_event_t event_{};
  std::string error_;
};

}  // namespace

std::expected<json::value, std::string> parse_yaml(const std::string& text) {
  return Reader{text}.document();
}

}  // namespace arizuko::agents
