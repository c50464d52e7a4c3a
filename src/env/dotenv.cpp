#include "arizuko/env/dotenv.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "arizuko/env/name.hpp"

// Follows godotenv 1.5's parser.go statement by statement. Where godotenv itself goes wrong (it
// panics on `KEY=#x`, trims an escaped quote at the end of a value, takes `\\"` for an open quote)
// the evident meaning is taken and the line is reported, so that nobody wonders.

namespace arizuko::env {
namespace {

constexpr bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\v' || c == '\f'; }
constexpr bool is_space(char c) { return is_blank(c) || c == '\n' || c == '\r'; }

/// A name that is fit to be shown: not a piece of a key or a certificate that lost its quotes.
bool is_readable(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  });
}

/// godotenv expands `$NAME`, `${NAME}` and `$(NAME)`; its names are upper case only.
bool is_expansion(std::string_view from_dollar) {
  std::string_view rest = from_dollar.substr(1);
  if (rest.starts_with('(')) rest.remove_prefix(1);
  if (rest.starts_with('{')) rest.remove_prefix(1);
  if (rest.empty()) return false;
  const char c = rest.front();
  return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

constexpr const char* expansion_note =
    "holds '$' before a name: taken as written, where godotenv would expand it; write \\$ or use single "
    "quotes";

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Dotenv run() {
    if (text_.size() > max_dotenv_bytes) {
      result_.problems.push_back({.line = 0, .name = {}, .what = "larger than 1 MiB"});
      return std::move(result_);
    }
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
    while (to_statement() && statement()) {
    }
    return std::move(result_);
  }

 private:
  bool at_end() const { return at_ >= text_.size(); }
  char here() const { return text_[at_]; }

  void go_to(std::size_t position) {
    const std::string_view passed = text_.substr(at_, position - at_);
    const auto lines = std::ranges::count(passed, '\n');
    line_ += static_cast<std::uint32_t>(lines);
    if (lines > 0) behind_quote_ = false;
    at_ = position;
  }

  /// The end of the line that `from` is in: a '\n', a '\r' or the end of the text.
  std::size_t line_end(std::size_t from) const {
    return std::min(text_.find_first_of("\r\n", from), text_.size());
  }

  void report(std::string_view name, std::string what, bool fatal = true) {
    result_.problems.push_back(
        {.line = first_line_, .name = std::string(name), .what = std::move(what), .fatal = fatal});
  }

  /// Skips space and comments; false at the end of the text.
  bool to_statement() {
    while (!at_end()) {
      std::size_t position = at_;
      while (position < text_.size() && is_space(text_[position])) ++position;
      go_to(position);
      if (at_end() || here() != '#') break;
      go_to(std::min(text_.find('\n', at_), text_.size()));
    }
    return !at_end();
  }

  /// One `name = value`; false when the rest of the text cannot be read.
  bool statement() {
    first_line_ = line_;
    if (result_.entries.size() >= max_dotenv_entries) {
      report({}, fmt::format("more than {} values", max_dotenv_entries));
      return false;
    }
    skip_export();
    const std::size_t separator = std::min(text_.find_first_of("=:\r\n", at_), text_.size());
    if (separator == text_.size() || text_[separator] == '\r' || text_[separator] == '\n') {
      report({}, behind_quote_ ? "unexpected text behind the closing quote"
                               : "neither '=' nor ':' in this line: write NAME=value");
      go_to(line_end(at_));
      return true;
    }
    std::string_view name = text_.substr(at_, separator - at_);
    while (!name.empty() && is_blank(name.back())) name.remove_suffix(1);
    const bool valid = is_valid_name(name);
    // `QUJD==` is the last line of something in base64, not a variable.
    const bool base64 = text_.substr(separator, 2) == "==" || separator + 1 == line_end(separator);
    const bool readable = valid || (is_readable(name) && !base64);
    if (!valid) {
      report(readable ? name : std::string_view(),
             behind_quote_ ? "unexpected text behind the closing quote"
                           : "not a variable's name: letters, digits and '_', no digit first, at most 128");
    }
    if (!readable) {
      go_to(line_end(at_));
      return true;
    }
    go_to(separator + 1);
    std::optional<std::string> value = read_value(name);
    if (!value) return false;
    if (valid) add(name, std::move(*value));
    return true;
  }

  void add(std::string_view name, std::string value) {
    if (value.find('\0') != std::string::npos) {
      report(name, "the value holds a NUL byte");
      result_.problems.back().only_the_value = true;
    } else if (!is_valid_value(value)) {
      report(name, fmt::format("the value is longer than {} bytes, more than a process can be given",
                               max_value_bytes));
      result_.problems.back().only_the_value = true;
    } else {
      result_.entries.push_back({.name = std::string(name), .value = std::move(value), .line = first_line_});
    }
  }

  void skip_export() {
    const std::string_view rest = text_.substr(at_);
    if (!rest.starts_with("export") || rest.size() < 7 || !is_blank(rest[6])) return;
    std::size_t position = at_ + 6;
    while (position < text_.size() && is_blank(text_[position])) ++position;
    go_to(position);
  }

  std::optional<std::string> read_value(std::string_view name) {
    const std::size_t begin = at_;
    std::size_t position = at_;
    while (position < text_.size() && is_blank(text_[position])) ++position;
    go_to(position);
    if (!at_end() && here() == '\'') return single_quoted(name);
    if (!at_end() && here() == '"') return double_quoted(name);
    return unquoted(name, position > begin);
  }

  std::string unquoted(std::string_view name, bool after_blank) {
    const std::size_t end = line_end(at_);
    std::string_view line = text_.substr(at_, end - at_);
    go_to(end);
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (line[i] != '#') continue;
      if (i == 0 && !after_blank)
        report(name, "the value begins with '#': quote it, godotenv fails on it", false);
      if (i == 0 ? after_blank : is_blank(line[i - 1])) {
        line = line.substr(0, i);
        break;
      }
    }
    while (!line.empty() && is_blank(line.back())) line.remove_suffix(1);

    std::string value;
    value.reserve(line.size());
    bool expansion = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (line[i] == '\\' && i + 1 < line.size() && line[i + 1] == '$') {
        ++i;
      } else if (line[i] == '$') {
        expansion = expansion || is_expansion(line.substr(i));
      }
      value += line[i];
    }
    if (expansion) report(name, expansion_note, false);
    return value;
  }

  /// Literal. As in godotenv a backslash keeps a quote from closing, and stays.
  std::optional<std::string> single_quoted(std::string_view name) {
    std::string value;
    bool escaped = false;
    for (std::size_t i = at_ + 1; i < text_.size(); ++i) {
      const char c = text_[i];
      if (c == '\'' && text_[i - 1] != '\\') {
        close_quote(i);
        if (escaped)
          report(name, "holds \\': the quote is not the end of the value, and the backslash stays", false);
        return value;
      }
      escaped = escaped || c == '\'';
      if (c == '\r' && i + 1 < text_.size() && text_[i + 1] == '\n') continue;
      value += c;
    }
    return unterminated(name, '\'');
  }

  std::optional<std::string> double_quoted(std::string_view name) {
    std::string value;
    bool expansion = false;
    bool escape_last = false;  // the value's last character is an escaped quote or backslash
    for (std::size_t i = at_ + 1; i < text_.size(); ++i) {
      const char c = text_[i];
      if (c == '"') {
        close_quote(i);
        if (expansion) report(name, expansion_note, false);
        if (escape_last) {
          report(name, "an escape stands before the closing quote: godotenv reads it differently", false);
        }
        return value;
      }
      escape_last = false;
      if (c == '\r' && i + 1 < text_.size() && text_[i + 1] == '\n') continue;
      if (c == '\\' && i + 1 < text_.size()) {
        if (text_.substr(i + 1, 2) == "\r\n") ++i;
        const char next = text_[++i];
        escape_last = next == '"' || next == '\\';
        value += next == 'n' ? '\n' : next == 'r' ? '\r' : next;
        continue;
      }
      if (c == '$') expansion = expansion || is_expansion(text_.substr(i));
      value += c;
    }
    return unterminated(name, '"');
  }

  void close_quote(std::size_t position) {
    go_to(position + 1);
    behind_quote_ = true;
  }

  /// What follows is the inside of a value: reading on would take secrets for names.
  std::optional<std::string> unterminated(std::string_view name, char quote) {
    report(name,
           fmt::format("no closing {} up to the end of the file: nothing from here on was read", quote));
    return std::nullopt;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1;
  std::uint32_t first_line_ = 1;  // of the statement being read
  bool behind_quote_ = false;     // a quoted value ended in this line
  Dotenv result_;
};

}  // namespace

Dotenv parse_dotenv(std::string_view text) { return Parser(text).run(); }

}  // namespace arizuko::env
