#include "reader.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "arizuko/base/nearest.hpp"

namespace arizuko::plan {

const Node* Reader::find(std::string_view name) const {
  const Entry* entry = table_ == nullptr ? nullptr : table_->find(name);
  return entry == nullptr ? nullptr : &entry->value;
}

Reader Reader::table(std::string_view name) const {
  return {find(name), key_of(name), *scope_, variables_, *problems_};
}

Reader Reader::at(const Node& node, std::string key) const {
  return {&node, std::move(key), *scope_, variables_, *problems_};
}

void Reader::report(const Location& where, std::string key, std::string what, std::string fix) const {
  problems_->push_back({Severity::error, where, std::move(key), std::move(what), std::move(fix)});
}

void Reader::warn(const Location& where, std::string key, std::string what, std::string fix) const {
  problems_->push_back({Severity::warning, where, std::move(key), std::move(what), std::move(fix)});
}

void Reader::wrong(const Location& where, std::string key, std::string_view text, const Wrong& wrong) const {
  report(where, std::move(key), quoted(text) + " " + wrong.what, wrong.fix);
}

bool Reader::is(const Node& node, Node::Kind kind, const std::string& key, std::string_view example) const {
  if (node.kind == kind) return true;
  report(node.where, key, fmt::format("must be {}, not {}", kind_name(kind), kind_name(node.kind)),
         fmt::format("write {}", example));
  return false;
}

bool Reader::plain(const Node& node, const std::string& key) const {
  if (!is(node, Node::Kind::string, key, "it in quotes")) return false;
  if (node.text.size() > longest_string_bytes) {
    report(node.where, key, fmt::format("is longer than {} bytes", longest_string_bytes),
           "put it into a file");
    return false;
  }
  if (node.text.find('\0') != std::string::npos) {
    report(node.where, key, "holds a NUL character, which cannot be handed to a process", "remove it");
    return false;
  }
  return true;
}

bool Reader::holed(const Node& node, const std::string& key, Template& out) const {
  if (!plain(node, key)) return false;
  const auto pieces = parse_references(node.text);
  auto text = pieces ? expand_fields(*pieces, *scope_) : std::unexpected(pieces.error());
  if (!text) {
    report(node.where, key, text.error().what, text.error().fix);
    return false;
  }
  out = std::move(*text);
  return true;
}

bool Reader::string(const Node& node, const std::string& key, std::string& out) const {
  if (!plain(node, key)) return false;
  const auto pieces = parse_references(node.text);
  auto text = pieces ? expand(*pieces, *scope_, variables_) : std::unexpected(pieces.error());
  if (!text) {
    report(node.where, key, text.error().what, text.error().fix);
    return false;
  }
  out = std::move(*text);
  return true;
}

void Reader::boolean(std::string_view name, bool& out) const {
  const Node* node = find(name);
  if (node != nullptr && is(*node, Node::Kind::boolean, key_of(name), "true or false, without quotes")) {
    out = node->boolean;
  }
}

std::optional<std::int64_t> Reader::whole(std::string_view name, std::int64_t least,
                                          std::int64_t most) const {
  const Node* node = find(name);
  if (node == nullptr) return std::nullopt;
  const auto range = fmt::format("a whole number from {} to {}", least, most);
  if (!is(*node, Node::Kind::integer, key_of(name), range)) return std::nullopt;
  if (node->integer >= least && node->integer <= most) return node->integer;
  report(node->where, key_of(name), fmt::format("{} is out of range", node->integer), "write " + range);
  return std::nullopt;
}

void Reader::real(std::string_view name, double least, double most, double& out) const {
  const Node* node = find(name);
  if (node == nullptr) return;
  const auto range = fmt::format("a number from {:.1f} to {:.1f}", least, most);
  const bool is_integer = node->kind == Node::Kind::integer;
  if (!is_integer && node->kind != Node::Kind::number) {
    return report(node->where, key_of(name), fmt::format("must be a number, not {}", kind_name(node->kind)),
                  "write " + range);
  }
  const double number = is_integer ? static_cast<double>(node->integer) : node->number;
  if (number >= least && number <= most) {  // also refuses nan
    out = number;
  } else {
    report(node->where, key_of(name), fmt::format("{} is out of range", number), "write " + range);
  }
}

void Reader::duration(std::string_view name, Duration& out, Duration least) const {
  const Node* node = find(name);
  if (node == nullptr) return;
  if (node->kind != Node::Kind::string) {
    const bool number = node->kind == Node::Kind::integer || node->kind == Node::Kind::number;
    return report(node->where, key_of(name),
                  number ? "is a number without a unit"
                         : fmt::format("must be a duration, not {}", kind_name(node->kind)),
                  "write \"250ms\", \"3s\" or \"1m30s\"");
  }
  Duration duration{};
  if (!parse_node(*node, key_of(name), parse_duration, duration)) return;
  if (duration < least) {
    return wrong(node->where, key_of(name), node->text,
                 {"is too short", fmt::format("write at least \"{}ms\"", least.count())});
  }
  out = duration;
}

void Reader::text(std::string_view name, std::string& out) const {
  if (const Node* node = find(name)) string(*node, key_of(name), out);
}

void Reader::not_one_of(const Node& node, const std::string& key,
                        const std::vector<std::string_view>& words) const {
  const auto meant = base::nearest(node.text, words);
  wrong(node.where, key, node.text,
        {"is not known here", meant ? fmt::format("did you mean \"{}\"?", *meant)
                                    : fmt::format("write \"{}\"", fmt::join(words, "\" or \""))});
}

std::vector<Placed> Reader::placed(const Node& node, const std::string& key) const {
  std::vector<Placed> out;
  if (!is(node, Node::Kind::array, key, "a list: [\"one\", \"two\"]")) return out;
  if (node.items.size() > most_list_entries) {
    report(node.where, key, fmt::format("has {} entries", node.items.size()),
           fmt::format("a list can have {}", most_list_entries));
    return out;
  }
  for (const Node& item : node.items) {
    std::string text;
    if (string(item, key, text)) out.push_back({std::move(text), item.text, item.where});
  }
  return out;
}

std::vector<Placed> Reader::list(std::string_view name) const {
  const Node* node = find(name);
  if (node == nullptr) return {};
  std::vector<Placed> out;
  for (Placed& entry : placed(*node, key_of(name))) {
    const bool twin = std::ranges::find(out, entry.text, &Placed::text) != out.end();
    if (twin) {
      warn(entry.where, key_of(name), quoted(entry.written) + " stands in the list twice", "remove one");
    } else {
      out.push_back(std::move(entry));
    }
  }
  return out;
}

std::vector<std::string> Reader::strings(std::string_view name) const {
  const Node* node = find(name);
  return node == nullptr ? std::vector<std::string>{} : strings_of(*node, key_of(name));
}

std::vector<std::string> Reader::strings_of(const Node& node, const std::string& key) const {
  std::vector<std::string> out;
  for (Placed& entry : placed(node, key)) out.push_back(std::move(entry.text));
  return out;
}

}  // namespace arizuko::plan
