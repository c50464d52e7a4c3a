#include "arizuko/host/supervisor/termination_message.hpp"

#include <algorithm>
#include <cerrno>
#include <ranges>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <boost/json.hpp>

#include "arizuko/base/utf8.hpp"
#include "arizuko/posix/files.hpp"

namespace arizuko::host {
namespace {

constexpr std::size_t longest_item_bytes = 700;  // of one service or line, before anything is left out

/// Valid UTF-8 of at most `limit` bytes: what is no character becomes U+FFFD, a cut is marked.
std::string clean(std::string_view text, std::size_t limit) {
  constexpr std::string_view ellipsis = "\xE2\x80\xA6";
  std::string result;
  while (!text.empty()) {
    const std::size_t length = base::utf8_length(text);
    const std::string_view next = length == 0 ? base::replacement_character : text.substr(0, length);
    if (result.size() + next.size() + ellipsis.size() > limit) {
      result += ellipsis;
      break;
    }
    result += next;
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return result;
}

/// The first of `texts` that could fit at all: JSON is never shorter than the text itself.
template <typename Texts>
std::vector<std::string> clean_all(const Texts& texts) {
  std::vector<std::string> result;
  std::size_t bytes = 0;
  for (const std::string& text : texts) {
    result.push_back(clean(text, longest_item_bytes));
    bytes += result.back().size();
    if (bytes > max_termination_bytes) break;
  }
  return result;
}

std::string more(std::size_t count) { return "and " + std::to_string(count) + " more"; }

std::string serialize(const TerminationReport& report) {
  boost::json::object object;
  if (report.exit_code) object["exit_code"] = *report.exit_code;
  object["state"] = report.state;
  object["reason"] = report.reason;
  if (!report.services.empty())
    object["services"] = boost::json::array(report.services.begin(), report.services.end());
  if (!report.last_lines.empty()) {
    object["last_lines"] = boost::json::array(report.last_lines.begin(), report.last_lines.end());
  }
  return boost::json::serialize(object);
}

}  // namespace

std::string to_json(const TerminationReport& report) {
  TerminationReport shrunk{report.exit_code, clean(report.state, 100), clean(report.reason, 2000),
                           clean_all(report.services),
                           clean_all(report.last_lines | std::views::reverse)};  // the latest lines say most
  std::ranges::reverse(shrunk.last_lines);
  std::size_t left_out = report.services.size() - shrunk.services.size();
  if (left_out > 0) shrunk.services.push_back(more(left_out));
  std::string text = serialize(shrunk);
  while (text.size() > max_termination_bytes) {
    if (!shrunk.last_lines.empty()) {
      shrunk.last_lines.erase(shrunk.last_lines.begin());
    } else if (!shrunk.services.empty()) {
      if (left_out > 0) shrunk.services.pop_back();  // the note of the last turn
      if (!shrunk.services.empty()) shrunk.services.pop_back();
      ++left_out;
      if (!shrunk.services.empty()) shrunk.services.push_back(more(left_out));
    } else {  // control characters, each of which takes six bytes in JSON
      shrunk.reason = clean(shrunk.reason, shrunk.reason.size() * 3 / 4);
      shrunk.state = clean(shrunk.state, 20);
    }
    text = serialize(shrunk);
  }
  return text;
}

bool TerminationMessage::write(const TerminationReport& report) {
  std::string text = to_json(report);
  if (text == last_) return true;
  const auto file = posix::open_to_write(AT_FDCWD, path_, posix::Missing::is_an_error);
  struct stat info{};
  if (!file || ::fstat(file->get(), &info) != 0) return false;
  // One write that covers the old text too, so that a SIGKILL before ftruncate leaves valid JSON: blanks may
  // follow it.
  std::string padded = text;
  const auto old_size = static_cast<std::size_t>(info.st_size);
  if (old_size > padded.size() && old_size <= max_termination_bytes) padded.resize(old_size, ' ');
  const bool written = ::pwrite(file->get(), padded.data(), padded.size(), 0) == std::ssize(padded) &&
                       ::ftruncate(file->get(), static_cast<off_t>(text.size())) == 0;
  if (written) last_ = std::move(text);
  return written;
}

}  // namespace arizuko::host
