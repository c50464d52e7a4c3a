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
  ConditionReader(const Reader& looks, std::string_view name, std::string_view main, const Condition& pace)
      : looks_(looks),
        whole_(looks.find(name)),
        inner_(looks.table(name)),
        key_(looks.key_of(name)),
        pace_(pace) {
    if (whole_ == nullptr) return;
    is_table_ = whole_->kind == Node::Kind::table && !main.empty();
    value_ = is_table_ ? inner_.find(main) : whole_;
    if (is_table_) key_ = inner_.key_of(main);
    if (value_ == nullptr) {
      looks_.report(whole_->where, key_, "is missing", fmt::format("write {} = {{ {} = ... }}", name, main));
    }
  }

  explicit operator bool() const { return value_ != nullptr; }
  const Node& node() const { return *value_; }
  const std::string& key() const { return key_; }

  Listener listener() const {
    Listener listener = Listener::own;
    if (is_table_) inner_.choice("listener", listener_words, listener);
    return listener;
  }
  std::string contains() const {
    std::string text;
    if (is_table_) inner_.text("contains", text);
    return text;
  }

  Condition with(Check check) const {
    Condition condition = pace_;
    condition.check = std::move(check);
    if (is_table_) {
      read_pace(inner_, condition);
      if (inner_.find("wait") != nullptr) {
        Duration wait{};
        inner_.duration("wait", wait, shortest_pause);
        condition.wait = wait;
      }
    }
    return condition;
  }

 private:
  const Reader& looks_;
  const Node* whole_;
  Reader inner_;
  std::string key_;
  const Condition& pace_;
  const Node* value_ = nullptr;
  bool is_table_ = false;
};

std::optional<Check> read_http(const ConditionReader& reader, const Reader& looks) {
  Url url;
  HttpCheck check;
  if (!looks.string(reader.node(), reader.key(), check.url)) return std::nullopt;
  if (!looks.parse_node(reader.node(), reader.key(), parse_url, url)) return std::nullopt;
  check.address = url.address.ip;
  check.port = url.address.port;
  check.path = url.path;
  check.contains = reader.contains();
  check.listener = reader.listener();
  return check;
}

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

struct Form {
  std::string_view name;
  std::string_view main;
  bool can_cease;  // false: once it held it holds, so it says nothing about liveness
  std::optional<Check> (*read)(const ConditionReader&, const Reader&);
};

constexpr std::array forms{
    Form{"http", "url", true, read_http},        Form{"tcp", "address", true, read_tcp},
    Form{"socket", "path", true, read_socket},   Form{"log", "contains", false, read_log},
    Form{"notify", "", false, read_notify},      Form{"exec", "command", true, read_exec},
    Form{"file", "path", true, read_file_check},
};

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
    if (node == nullptr) continue;
    if (look == Look::live && !form.can_cease) {
      table.report(node->where, table.key_of(form.name),
                   "cannot tell whether a service lives: once true it stays true", "move it to .ready");
      continue;
    }
    const ConditionReader reader{table, form.name, form.main, pace};
    if (!reader) continue;
    if (auto check = form.read(reader, table)) conditions.push_back(reader.with(std::move(*check)));
  }
  return conditions;
}

}  // namespace arizuko::plan
