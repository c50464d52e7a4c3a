#include "json.hpp"

#include <fmt/format.h>

namespace arizuko::plan {

void JsonWriter::separate() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (!first_) out_ += ',';
  if (indent_.size() > 1) out_ += indent_;
  first_ = false;
}

JsonWriter& JsonWriter::raw(std::string_view text) {
  separate();
  out_ += text;
  return *this;
}

JsonWriter& JsonWriter::open(char bracket) {
  separate();
  out_ += bracket;
  indent_ += "  ";
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
  indent_.resize(indent_.size() - 2);
  if (!first_) out_ += indent_;
  out_ += bracket;
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  separate();
  out_ += base::json_string(name) + ": ";
  after_key_ = true;
  return *this;
}

JsonWriter& JsonWriter::value(double number) { return raw(fmt::format("{}", number)); }

JsonWriter& JsonWriter::value(const std::vector<std::string>& texts) {
  separate();
  out_ += '[';
  for (std::size_t i = 0; i < texts.size(); ++i) out_ += (i == 0 ? "" : ", ") + base::json_string(texts[i]);
  out_ += ']';
  return *this;
}

}  // namespace arizuko::plan
