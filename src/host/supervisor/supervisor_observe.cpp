// What is seen of processes and their logs.
#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include <sys/wait.h>

#include <fmt/format.h>
#include <boost/asio/post.hpp>

#include "clock.hpp"
#include "supervisor_impl.hpp"

namespace arizuko::host {

namespace {

// The rest in the next turn.
constexpr std::size_t most_reaped_a_turn = 256;
constexpr LogBudget last_words_of_a_turn = LogReader::a_turn;
// Of each output of a run, before its end is told: what comes on top is somebody's who flooded.
constexpr std::size_t most_last_words = 128 * 1024;

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

// "sleep (pid 17), sh (pid 18)", at most five.
std::string names_of(const std::vector<ProcessInfo>& processes) {
  constexpr std::size_t most = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(most, processes.size()); ++i) {
    text += fmt::format("{}{} (pid {})", i == 0 ? "" : ", ", processes[i].name, processes[i].pid);
  }
  if (processes.size() > most) text += fmt::format(" and {} more", processes.size() - most);
  return text;
}

}  // namespace

void Supervisor::Impl::reap() {
  LogBudget budget = last_words_of_a_turn;
  const std::vector<Reaped> reaped = table.reap(most_reaped_a_turn);
  for (const Reaped& each : reaped) {
    if (!each.main) continue;
    if (each.main->is_check()) {
      check_ended(*each.main, each.pid, each.wait_status);
    } else {
      main_ended(*each.main, each.wait_status, budget);
    }
  }
  end_trees_of_checks();
  look_for_empty_trees();
  pump();
  if (reaped.size() < most_reaped_a_turn || std::exchange(reap_posted, true)) return;
  boost::asio::post(io, [this] {
    reap_posted = false;
    if (!over) reap();
  });
}

// Its last words come before its end: at once as a rule, else when they are read, in the turns of the reader.
void Supervisor::Impl::main_ended(RunKey run, int wait_status, LogBudget& budget) {
  Ending ending{run, wait_status, {}};
  for (auto each = pipes.lower_bound(run); each != pipes.end() && each->first == run;) {
    const std::shared_ptr<LogPipe> pipe = each->second;
    ++each;  // go_on() may end the pipe and take it from the map
    const Goal goal{pipe, pipe->mark(most_last_words)};
    if (!budget.spent()) pipe->go_on(pipe->read(budget));
    if (goal.reached()) continue;
    ending.last_words.push_back(goal);
    log_reader->read_soon(pipe);
  }
  if (ending.last_words.empty()) return tell_end(ending);
  endings.push_back(std::move(ending));
}

void Supervisor::Impl::tell_ends() {
  const auto read = [](const Ending& each) { return std::ranges::all_of(each.last_words, &Goal::reached); };
  std::vector<Ending> told;
  for (const Ending& each : endings) {
    if (read(each)) told.push_back(each);
  }
  if (told.empty()) return;
  std::erase_if(endings, read);
  for (const Ending& each : told) tell_end(each);
  pump();
}

void Supervisor::Impl::tell_end(const Ending& ending) {
  const RunKey run = ending.run;
  watcher.unwatch_run(run);
  values.erase(run);
  files_before.erase(run);
  notify.erase(run);
  const std::string leftovers = names_of(table.leftovers(run));
  if (leftovers.empty()) {
    table.forget(run);
  } else {
    emptying.insert(run);
  }
  engine::ExitStatus status = exit_status(ending.wait_status);
  status.out_of_memory = ended_for_want_of_memory(service(run.service).name, ending.wait_status);
  inbox.push_back(engine::Exited{run, status, leftovers, last_words_of(run)});
  lines_before.erase(run);
}

/// The last line that this run wrote, as the console shows it; at most 200 bytes. Empty: it wrote none.
std::string Supervisor::Impl::last_words_of(RunKey run) const {
  constexpr std::size_t most_bytes = 200;
  const auto before = lines_before.find(run);
  const std::vector<KeptLine> last = logs.tail({service(run.service).name}, 1);
  if (before == lines_before.end() || last.empty() || last.front().seq <= before->second) return "";
  LogRecord record;
  record.text = last.front().text;
  std::string words;
  LogFormatter(plan::LogFormat::console, false, 0).append_shown_line(words, record, false);
  if (words.size() <= most_bytes) return words;
  std::size_t end = most_bytes;
  while (end > 0 && (static_cast<unsigned char>(words[end]) & 0xC0) == 0x80) --end;
  return words.substr(0, end) + "...";
}

void Supervisor::Impl::look_for_empty_trees() {
  for (auto each = emptying.begin(); each != emptying.end();) {
    if (!table.leftovers(*each).empty()) {
      ++each;
      continue;
    }
    table.forget(*each);
    inbox.push_back(engine::TreeEmpty{*each});
    each = emptying.erase(each);
  }
}

std::shared_ptr<LogPipe> Supervisor::Impl::add_pipe(RunKey run, Stream stream, int descriptor) {
  const auto place = pipes.emplace(run, nullptr);
  const LogHistory::Handle handle = logs.handle(service(run.service).name);
  place->second = std::make_shared<LogPipe>(
      io, log_reader, descriptor,
      [this, run, stream, handle](const Line& line) {
        try {
          take_line(run, stream, handle, line);
        } catch (const std::bad_alloc&) {
          ++counted.log_lines_dropped;
        }
      },
      [this, place] { pipes.erase(place); });
  place->second->start();
  return place->second;
}

// The way that every line takes: keep it short.
void Supervisor::Impl::take_line(RunKey run, Stream stream, LogHistory::Handle handle, const Line& line) {
  if (!line.unfinished) ++counted.log_lines;
  if (line.cut) ++counted.log_lines_cut;
  if (watcher.wants_log(run)) watcher.log_line(run, line.text);
  const plan::Service& what = service(run.service);
  for (const std::string& pattern : what.drop) {
    if (::memmem(line.text.data(), line.text.size(), pattern.data(), pattern.size()) != nullptr) return;
  }
  const std::string_view text =
      redactor.redact(line.text, redacted_line,
                      line.cut || line.begun || line.unfinished ? env::Ending::cut : env::Ending::whole);
  const std::int64_t time = Clock::unix_nanoseconds();
  if (line.unfinished)
    logs.add(handle, stream, std::string(text) + std::string(unfinished_mark), time);
  else
    logs.add(handle, stream, text, time);
  LogRecord record;
  record.service = what.name;
  record.stream = stream;
  record.text = text;
  record.cut = line.cut;
  record.unfinished = line.unfinished;
  output.write(record);
  if (!subscribers.empty()) something_changed();
}

}  // namespace arizuko::host
