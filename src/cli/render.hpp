// Tables and lines for people: plain text, aligned, coloured on a terminal. Pure.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arizuko/engine/view.hpp"

namespace arizuko::cli {

enum class Colour { off, on };
enum class Align { left, right };

struct Cell {
  std::string text;
  std::string_view paint = "";  // an SGR sequence, without ESC[ and m
};

class Table {
 public:
  void column(std::string title, Align align = Align::left);
  void row(std::vector<Cell> cells);
  std::string text(Colour colour) const;

 private:
  struct Column {
    std::string title;
    Align align;
  };
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

/// The SGR sequence: green, yellow, red, dim.
std::string_view paint_of(engine::Mood mood);
/// Of a state by its name, of a service or a pod; off for a name that is not known.
engine::Mood mood_of(std::string_view state);

/// The answer of /v1/status, taken apart.
struct Status {
  struct Service {
    std::string name, kind, state, since, cause;
    std::optional<std::int64_t> pid, port;
    std::int64_t restarts = 0;
    std::optional<std::int64_t> memory_bytes, processes;  // where it has a control group
    std::vector<std::string> waiting_for;
  };
  std::string instance, state;
  std::uint64_t generation = 0;
  std::vector<std::string> held;  // keys whose values in the sources are not in force
  std::vector<Service> services;
};
/// The error says what is wrong with the answer.
std::expected<Status, std::string> parse_status(std::string_view json);
std::string status_text(const Status& status, std::string_view why, std::int64_t now_unix_nanoseconds,
                        Colour colour);

/// The answer of /v1/secrets for people; the error says what is wrong with it.
std::expected<std::string, std::string> secrets_text(std::string_view json, std::int64_t now_unix_nanoseconds,
                                                     Colour colour);

/// "12:00:01.123 gated    starting -> ready: every condition holds"; nullopt when it is no event.
std::optional<std::string> event_text(std::string_view json, Colour colour);
/// "12:00:01.123 gated    | listening"
std::optional<std::string> log_text(std::string_view json, Colour colour);

/// What a console shows when everything is up for the first time.
std::string ready_table(const engine::View& view, Colour colour);

}  // namespace arizuko::cli
