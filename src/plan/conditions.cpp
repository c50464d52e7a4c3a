// `.ready` and `.live`: a condition is written as one value or as a table around it.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "draft.hpp"
#include "words.hpp"

namespace arizuko::plan {
namespace {

constexpr Duration shortest_pause{10};  // a look that never rests would keep a core busy

/// What a condition has unless it says otherwise itself.
void read_pace(const Reader& reader, Condition& condition) {
  reader.duration("every", condition.every, shortest_pause);
  reader.duration("timeout", condition.timeout, shortest_pause);
  reader.integer("failures", 1u, 100u, condition.failures);
}

/// One condition: its main value stands alone or under `main` in a table.
class ConditionReader {
 public:
  ConditionReader(const Reader& looks, const Node& whole, std::string_view name, std::string_view main,
                  const Condition& pace)
      : looks_(looks), inner_(looks.at(whole, looks.key_of(name))), key_(looks.key_of(name)), pace_(pace) {
    is_table_ = whole.kind == Node::Kind::table && !main.empty();
    value_ = is_table_ ? inner_.find(main) : &whole;
    if (is_table_) key_ = inner_.key_of(main);
    if (value_ == nullptr) {
      looks_.report(whole.where, key_, "is missing", fmt::format("write {} = {{ {} = ... }}", name, main));
    }
  }

  explicit operator bool() const { return value_ != nullptr; }
  /// The table around the main value; one without keys where that stands alone.
  const Reader& table() const { return inner_; }
  const Node* find(std::string_view name) const { return is_table_ ? inner_.find(name) : nullptr; }
  const Node& node() const { return *value_; }
  const std::string& key() const { return key_; }

  Listener listener() const {
    Listener listener = Listener::own;
    if (is_table_) inner_.choice("listener", listener_words, listener);
    return listener;
  }

  Condition with(Check check, Look look) const {
    Condition condition = pace_;
    condition.check = std::move(check);
    if (is_table_) {
      read_pace(inner_, condition);
      if (inner_.find("wait") != nullptr) {
        Duration wait{};
        inner_.duration("wait", wait, shortest_pause);
        condition.wait = wait;
      }
      read_while(look, condition);
    }
    return condition;
  }

 private:
  void read_while(Look look, Condition& condition) const {
    const Node* node = inner_.find("while");
    if (node == nullptr) return;
    if (look == Look::live) return inner_.choice("while", looked_at_words, condition.looked_at);
    inner_.report(node->where, inner_.key_of("while"), "says when a liveness condition is looked at",
                  "move the condition to .live, or remove it");
  }

  const Reader& looks_;
  Reader inner_;
  std::string key_;
  const Condition& pace_;
  const Node* value_ = nullptr;
  bool is_table_ = false;
};

// -------------------------------------------------------------------------------------------------
// http

constexpr std::size_t most_headers = 32;
constexpr std::size_t most_of_a_kind = 16;  // conditions, and ranges of status

bool is_token(std::string_view text) {
  constexpr std::string_view signs = "!#$%&'*+-.^_`|~";  // RFC 9110, 5.6.2
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || signs.contains(c);
  });
}

/// A header that decides where a message ends is ours.
bool is_ours(std::string_view name) {
  constexpr std::array<std::string_view, 3> ours{"connection", "content-length", "transfer-encoding"};
  return std::ranges::any_of(ours, [&](std::string_view each) {
    return std::ranges::equal(each, name, [](char a, char b) { return a == (b | 0x20); });
  });
}

bool holds_a_control(const Template& text) {
  return std::ranges::any_of(text.parts, [](const auto& part) {
    const auto* plain = std::get_if<std::string>(&part);
    return plain != nullptr &&
           std::ranges::any_of(*plain, [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; });
  });
}

void read_headers(const ConditionReader& reader, HttpCheck& check) {
  const Node* table = reader.find("headers");
  if (table == nullptr) return;
  const Reader& inner = reader.table();
  const auto key = inner.key_of("headers");
  if (!inner.is(*table, Node::Kind::table, key, "a table: { Authorization = \"Bearer ${NAME}\" }")) return;
  if (table->entries.size() > most_headers) {
    return inner.report(table->where, key, fmt::format("has {} entries", table->entries.size()),
                        fmt::format("a condition can have {} headers", most_headers));
  }
  for (const Entry& entry : table->entries) {
    const auto name = key + "." + entry.name;
    Template value;
    if (!is_token(entry.name)) {
      inner.report(entry.where, name, quoted(entry.name) + " is not the name of a header",
                   "write letters, digits and -");
    } else if (is_ours(entry.name)) {
      inner.report(entry.where, name, "is set by arizuko-init itself", "remove it");
    } else if (!inner.holed(entry.value, name, value)) {
      continue;
    } else if (holds_a_control(value)) {
      inner.report(entry.value.where, name, "holds a control character, which would end the header",
                   "remove it");
    } else {
      check.headers.emplace_back(entry.name, std::move(value));
    }
  }
}

Parsed<StatusRange> parse_status(std::string_view text) {
  const auto number = [](std::string_view digits) -> std::uint16_t {
    const bool plain =
        digits.size() == 3 && std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; });
    return plain ? static_cast<std::uint16_t>((digits[0] - '0') * 100 + (digits[1] - '0') * 10 + digits[2] -
                                              '0')
                 : 0;
  };
  const auto dash = text.find('-');
  const StatusRange range{number(text.substr(0, dash)),
                          number(dash == text.npos ? text : text.substr(dash + 1))};
  if (range.first >= 200 && range.first <= range.last && range.last <= 599) return range;
  return std::unexpected(
      Wrong{"is not a status", "write a number from 200 to 599 or a range: 200, \"200-299\""});
}

void read_one_status(const Reader& inner, const Node& node, const std::string& key, HttpCheck& check) {
  StatusRange range;
  if (node.kind == Node::Kind::integer) {
    const auto text = std::to_string(node.integer);
    auto parsed = parse_status(text);
    if (!parsed) return inner.wrong(node.where, key, text, parsed.error());
    check.status.push_back(*parsed);
  } else if (inner.is(node, Node::Kind::string, key, "a number, a range \"200-299\", or a list of these") &&
             inner.parse_node(node, key, parse_status, range)) {
    check.status.push_back(range);
  }
}

void read_status(const ConditionReader& reader, HttpCheck& check) {
  const Node* node = reader.find("status");
  if (node == nullptr) return;
  const Reader& inner = reader.table();
  const auto key = inner.key_of("status");
  check.status.clear();
  if (node->kind != Node::Kind::array) return read_one_status(inner, *node, key, check);
  if (node->items.empty() || node->items.size() > most_of_a_kind) {
    return inner.report(node->where, key, fmt::format("has {} entries", node->items.size()),
                        fmt::format("write 1 to {}", most_of_a_kind));
  }
  for (const Node& item : node->items) read_one_status(inner, item, key, check);
}

std::optional<Check> read_http(const ConditionReader& reader, const Reader& looks) {
  Url url;
  HttpCheck check;
  if (!looks.string(reader.node(), reader.key(), check.url)) return std::nullopt;
  if (!looks.parse_node(reader.node(), reader.key(), parse_url, url)) return std::nullopt;
  check.address = url.address.ip;
  check.port = url.address.port;
  check.path = url.path;
  check.listener = reader.listener();
  const Reader& inner = reader.table();
  const Node* contains = reader.find("contains");
  if (contains != nullptr) inner.holed(*contains, inner.key_of("contains"), check.contains);
  if (reader.find("of") != nullptr) inner.value("of", parse_service_name, check.of);
  if (reader.find("method") != nullptr) inner.choice("method", method_words, check.method);
  read_status(reader, check);
  read_headers(reader, check);
  if (check.method == Method::head && !check.contains.empty()) {
    inner.report(contains->where, inner.key_of("contains"), "cannot be found: an answer to HEAD has no body",
                 "write method = \"GET\"");
  }
  return check;
}

// -------------------------------------------------------------------------------------------------

std::optional<Check> read_tcp(const ConditionReader& reader, const Reader& looks) {
  Address address;
  if (!looks.parse_node(reader.node(), reader.key(), parse_address, address)) return std::nullopt;
  return TcpCheck{address.ip, address.port, reader.listener()};
}

std::optional<Check> read_socket(const ConditionReader& reader, const Reader& looks) {
  SocketCheck check;
  if (!looks.parse_node(reader.node(), reader.key(), parse_socket_path, check.path)) return std::nullopt;
  check.listener = reader.listener();
  return check;
}

std::optional<Check> read_log(const ConditionReader& reader, const Reader& looks) {
  LogCheck check;
  if (!looks.string(reader.node(), reader.key(), check.text)) return std::nullopt;
  if (!check.text.empty()) return check;
  looks.report(reader.node().where, reader.key(), "is empty", "write a part of the line to wait for");
  return std::nullopt;
}

std::optional<Check> read_exec(const ConditionReader& reader, const Reader& looks) {
  ExecCheck check{looks.strings_of(reader.node(), reader.key())};
  if (!check.command.empty() && !check.command.front().empty()) return check;
  if (reader.node().kind == Node::Kind::array && (reader.node().items.empty() || !check.command.empty())) {
    looks.report(reader.node().where, reader.key(), "names no program", "write [\"program\", \"argument\"]");
  }
  return std::nullopt;
}

std::optional<Check> read_file_check(const ConditionReader& reader, const Reader& looks) {
  FileCheck check;
  if (!looks.parse_node(reader.node(), reader.key(), parse_path, check.path)) return std::nullopt;
  return check;
}

std::optional<Check> read_notify(const ConditionReader& reader, const Reader& looks) {
  const bool good = looks.is(reader.node(), Node::Kind::boolean, reader.key(), "notify = true");
  return good && reader.node().boolean ? std::optional<Check>{NotifyCheck{}} : std::nullopt;
}

enum class Tells { while_it_holds, that_it_held };  // the latter says nothing about liveness
enum class Count { one, any };                      // may a list of conditions stand there?

struct Form {
  std::string_view name;
  std::string_view main;
  Tells tells;
  Count count;
  std::optional<Check> (*read)(const ConditionReader&, const Reader&);
};

constexpr std::array forms{
    Form{"http", "url", Tells::while_it_holds, Count::any, read_http},
    Form{"tcp", "address", Tells::while_it_holds, Count::one, read_tcp},
    Form{"socket", "path", Tells::while_it_holds, Count::one, read_socket},
    Form{"log", "contains", Tells::that_it_held, Count::one, read_log},
    Form{"notify", "", Tells::that_it_held, Count::one, read_notify},
    Form{"exec", "command", Tells::while_it_holds, Count::one, read_exec},
    Form{"file", "path", Tells::while_it_holds, Count::one, read_file_check},
};

/// The conditions that stand under one name.
std::vector<const Node*> conditions_at(const Form& form, const Node& node, const Reader& table) {
  std::vector<const Node*> found;
  if (form.count == Count::one || node.kind != Node::Kind::array) return {&node};
  if (node.items.empty() || node.items.size() > most_of_a_kind) {
    table.report(node.where, table.key_of(form.name), fmt::format("has {} entries", node.items.size()),
                 fmt::format("write 1 to {} conditions", most_of_a_kind));
    return {};
  }
  for (const Node& item : node.items) found.push_back(&item);
  return found;
}

}  // namespace

bool names_condition(const Reader& table) {
  return std::ranges::any_of(forms, [&](const Form& form) { return table.find(form.name) != nullptr; });
}

std::vector<Condition> read_conditions(const Reader& table, Look look) {
  Condition pace;
  read_pace(table, pace);
  std::vector<Condition> conditions;
  for (const Form& form : forms) {
    const Node* node = table.find(form.name);
    if (node == nullptr || is_false(*node)) continue;
    if (look == Look::live && form.tells == Tells::that_it_held) {
      table.report(node->where, table.key_of(form.name),
                   "cannot tell whether a service lives: once true it stays true", "move it to .ready");
      continue;
    }
    for (const Node* each : conditions_at(form, *node, table)) {
      const ConditionReader reader{table, *each, form.name, form.main, pace};
      if (!reader) continue;
      if (auto check = form.read(reader, table)) conditions.push_back(reader.with(std::move(*check), look));
    }
  }
  return conditions;
}

}  // namespace arizuko::plan
