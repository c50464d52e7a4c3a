#include "arizuko/host/logs/log_history.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>

namespace arizuko::host {
namespace {

/// What stands before each text in a ring.
struct Header {
  std::uint64_t seq = 0;
  std::int64_t unix_nanoseconds = 0;
  std::uint32_t size = 0;
  std::uint32_t stream = 0;
};
static_assert(sizeof(Header) == 24);

/// At most `max_bytes`, not in the middle of a UTF-8 character.
std::string_view cut(std::string_view text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  std::size_t end = max_bytes;
  while (end > max_bytes - 4 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

}  // namespace

/// Headers and texts one behind the other in a circle of bytes, which grows to max_bytes and stays.
struct LogHistory::Ring {
  std::vector<char> bytes;
  std::size_t head = 0;  // of the oldest line
  std::size_t used = 0;
  std::uint64_t last_seq = 0;

  void copy_out(std::size_t at, void* target, std::size_t size) const {
    at %= bytes.size();
    const std::size_t first = std::min(size, bytes.size() - at);
    std::memcpy(target, bytes.data() + at, first);
    if (size > first) std::memcpy(static_cast<char*>(target) + first, bytes.data(), size - first);
  }

  void copy_in(const void* source, std::size_t size) {
    if (size == 0) return;
    std::size_t at = head + used;
    if (at >= bytes.size()) at -= bytes.size();
    const std::size_t first = std::min(size, bytes.size() - at);
    std::memcpy(bytes.data() + at, source, first);
    if (size > first) std::memcpy(bytes.data(), static_cast<const char*>(source) + first, size - first);
    used += size;
  }

  Header header_at(std::size_t at) const {
    Header header;
    copy_out(at, &header, sizeof header);
    return header;
  }

  void make_room(std::size_t size) {
    if (bytes.size() - used < size && bytes.size() < max_bytes) grow(used + size);
    while (bytes.size() - used < size) {
      const std::size_t oldest = sizeof(Header) + header_at(head).size;
      head = (head + oldest) % bytes.size();
      used -= oldest;
    }
  }

  void grow(std::size_t wanted) {
    std::size_t size = std::max<std::size_t>(bytes.size(), 1024);
    while (size < wanted && size < max_bytes) size *= 2;
    std::vector<char> larger(std::min(size, max_bytes));
    if (used > 0) copy_out(head, larger.data(), used);
    bytes = std::move(larger);
    head = 0;
  }

  void add(const Header& header, std::string_view text) {
    make_room(sizeof header + text.size());
    copy_in(&header, sizeof header);
    copy_in(text.data(), text.size());
    last_seq = header.seq;
  }

  /// Calls `take(header, offset of the text)` for each line, oldest first.
  template <class Take>
  void for_each(Take&& take) const {
    for (std::size_t done = 0; done < used;) {
      const Header header = header_at(head + done);
      take(header, head + done + sizeof header);
      done += sizeof header + header.size;
    }
  }
};

/// Where a line is kept, before its text is copied.
struct LogHistory::Found {
  std::uint64_t seq;
  std::size_t ring;
  std::size_t at;
  std::int64_t unix_nanoseconds;
  std::uint32_t size;
  std::uint32_t stream;
};

std::vector<LogHistory::Handle>::const_iterator LogHistory::place_of(std::string_view service) const {
  return std::ranges::lower_bound(by_name_, service, std::less<>(), [this](Handle each) -> std::string_view {
    return rings_[static_cast<std::size_t>(each)].service;
  });
}

std::optional<LogHistory::Handle> LogHistory::find(std::string_view service) const {
  const auto place = place_of(service);
  const bool is_it = place != by_name_.end() && rings_[static_cast<std::size_t>(*place)].service == service;
  return is_it ? std::optional(*place) : std::nullopt;
}

LogHistory::Handle LogHistory::handle(std::string_view service) {
  if (const auto known = find(service)) return *known;
  const auto fresh = static_cast<Handle>(rings_.size());
  by_name_.insert(place_of(service), fresh);
  rings_.push_back({.service = std::string(service), .ring = nullptr});
  return fresh;
}

void LogHistory::add(std::string_view service, Stream stream, std::string_view text,
                     std::int64_t unix_nanoseconds) {
  add(handle(service), stream, text, unix_nanoseconds);
}

void LogHistory::add(Handle service, Stream stream, std::string_view text, std::int64_t unix_nanoseconds) {
  Entry& entry = rings_[static_cast<std::size_t>(service)];
  if (!entry.ring) entry.ring = std::make_shared<Ring>();
  const std::string_view kept = cut(text, max_line_bytes);
  entry.ring->add({.seq = ++last_seq_,
                   .unix_nanoseconds = unix_nanoseconds,
                   .size = static_cast<std::uint32_t>(kept.size()),
                   .stream = stream == Stream::out ? 0U : 1U},
                  kept);
}

std::vector<KeptLine> LogHistory::tail(const std::vector<std::string>& services, std::size_t lines) const {
  std::vector<KeptLine> result;
  for (const Found& line : find_lines(services, 0, lines)) result.push_back(copy_of(line));
  return result;
}

std::vector<KeptLine> LogHistory::since(const std::vector<std::string>& services, std::uint64_t after,
                                        std::size_t most) const {
  std::vector<KeptLine> result;
  for (const Found& line : find_lines(services, after, std::numeric_limits<std::size_t>::max())) {
    if (result.size() == most) break;
    result.push_back(copy_of(line));
  }
  return result;
}

LogHistory::Begin LogHistory::begin_of_tail(const std::vector<std::string>& services,
                                            std::size_t lines) const {
  const std::vector<Found> found = find_lines(services, 0, lines);
  return {found.empty() ? last_seq_ : found.front().seq - 1, found.size()};
}

std::vector<LogHistory::Found> LogHistory::find_lines(const std::vector<std::string>& services,
                                                      std::uint64_t after, std::size_t last) const {
  std::vector<std::size_t> candidates;
  const auto consider = [&](std::size_t i) {
    if (rings_[i].ring && rings_[i].ring->last_seq > after) candidates.push_back(i);
  };
  if (services.empty()) {
    for (std::size_t i = 0; i < rings_.size(); ++i) consider(i);
  } else {
    for (const std::string& service : services) {
      if (const auto handle = find(service)) consider(static_cast<std::size_t>(*handle));
    }
    std::ranges::sort(candidates);
    candidates.erase(std::ranges::unique(candidates).begin(), candidates.end());  // who is named twice
  }
  // Each ring holds at least its own last line: the last n lines of all are in the n rings that were written
  // to last.
  if (candidates.size() > last) {
    std::ranges::nth_element(candidates, candidates.begin() + static_cast<std::ptrdiff_t>(last),
                             std::ranges::greater(),
                             [this](std::size_t i) { return rings_[i].ring->last_seq; });
    candidates.resize(last);
  }
  std::vector<Found> found;
  for (const std::size_t i : candidates) {
    rings_[i].ring->for_each([&](const Header& header, std::size_t at) {
      if (header.seq <= after) return;
      found.push_back({header.seq, i, at, header.unix_nanoseconds, header.size, header.stream});
    });
  }
  std::ranges::sort(found, {}, &Found::seq);
  if (found.size() > last) found.erase(found.begin(), found.end() - static_cast<std::ptrdiff_t>(last));
  return found;
}

KeptLine LogHistory::copy_of(const Found& line) const {
  const Entry& entry = rings_[line.ring];
  KeptLine kept{.seq = line.seq,
                .unix_nanoseconds = line.unix_nanoseconds,
                .service = entry.service,
                .stream = line.stream == 0 ? Stream::out : Stream::err,
                .text = std::string(line.size, '\0')};
  if (line.size > 0) entry.ring->copy_out(line.at, kept.text.data(), line.size);
  return kept;
}

}  // namespace arizuko::host
