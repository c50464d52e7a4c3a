#include "child_texts.hpp"

#include <algorithm>
#include <utility>

#include <sys/wait.h>

#include <fmt/format.h>

#include "arizuko/host/logs/log_output.hpp"

namespace arizuko::host {

engine::ExitStatus exit_status(int wait_status) {
  engine::ExitStatus status;
  if (WIFSIGNALED(wait_status)) {
    status.signal = WTERMSIG(wait_status);
    status.core_dumped = WCOREDUMP(wait_status);
  } else {
    status.code = WEXITSTATUS(wait_status);
  }
  return status;
}

env::Foreign names_of(const std::vector<ProcessInfo>& processes) {
  constexpr std::size_t most = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(most, processes.size()); ++i) {
    text += fmt::format("{}{} (pid {})", i == 0 ? "" : ", ", processes[i].name, processes[i].pid);
  }
  if (processes.size() > most) text += fmt::format(" and {} more", processes.size() - most);
  return env::Foreign(std::move(text));
}

env::Foreign as_last_words(const std::string& line) {
  constexpr std::size_t most_bytes = 200;
  LogRecord record;
  record.text = line;
  std::string words;
  LogFormatter(plan::LogFormat::console, false, 0).append_shown_line(words, record, false);
  if (words.size() <= most_bytes) return env::Foreign(std::move(words));
  std::size_t end = most_bytes;
  while (end > 0 && (static_cast<unsigned char>(words[end]) & 0xC0) == 0x80) --end;
  return env::Foreign(words.substr(0, end) + "...");
}

NotificationVerdict judge(const Notification& told, Sender sender, std::string_view owner,
                          const plan::Service& service, uid_t own_uid) {
  if (sender == Sender::another_run) {
    return {false, fmt::format("a notification came to its address from {} (pid {}) and was not taken", owner,
                               told.sender)};
  }
  if (sender == Sender::unknown && told.uid != own_uid && told.uid != 0 &&
      told.uid != service.uid.value_or(own_uid)) {
    return {
        false,
        fmt::format(
            "a notification came to its address from pid {} of user {}, none of its own, and was not taken",
            told.sender, told.uid)};
  }
  if (told.left_out == 0) return {};
  return {true, fmt::format("{} bytes at the end of a notification were not read: longer than {} it is cut; "
                            "send READY=1 first, or by itself",
                            told.left_out, longest_notification_bytes)};
}

}  // namespace arizuko::host
