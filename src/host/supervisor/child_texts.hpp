// What is said of children, made of what was seen. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "arizuko/engine/event.hpp"
#include "arizuko/host/process/process_table.hpp"
#include "host/conditions/notify_socket.hpp"

namespace arizuko::host {

/// `wait_status` as waitpid(2) gives it.
engine::ExitStatus exit_status(int wait_status);

/// "sleep (pid 17), sh (pid 18)", at most five.
env::Foreign names_of(const std::vector<ProcessInfo>& processes);

/// The line as the console shows it; at most 200 bytes, and three dots.
env::Foreign as_last_words(const std::string& line);

/// Who sent a notification, as far as it is known.
enum class Sender { itself, another_run, unknown };
struct NotificationVerdict {
  bool is_taken = true;
  std::string remark{};  // what people should know of it; empty: nothing
};
/// One that came to the address of a run of `service`. `owner`: the service that the sender belongs to.
NotificationVerdict judge(const Notification& told, Sender sender, std::string_view owner,
                          const plan::Service& service, uid_t own_uid);

}  // namespace arizuko::host
