#include "references.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "arizuko/base/nearest.hpp"

namespace arizuko::plan {
namespace {

constexpr int most_nested_defaults = 8;

class ReferenceParser {
 public:
  explicit ReferenceParser(std::string_view text) : text_(text) {}

  /// Up to the end of the text or, inside a default, up to the brace that closes it.
  Parsed<Pieces> pieces(int depth) {
    Pieces out;
    std::string literal;
    const auto flush = [&] {
      if (!literal.empty()) out.push_back({Piece::Kind::literal, std::move(literal), "", false, {}});
      literal.clear();
    };
    while (at_ < text_.size()) {
      const auto rest = text_.substr(at_);
      if (depth > 0 && rest.front() == '}') break;
      if (rest.starts_with("$${")) {
        literal += "${";
        at_ += 3;
      } else if (rest.starts_with("${")) {
        flush();
        at_ += 2;
        auto piece = reference(depth);
        if (!piece) return std::unexpected(std::move(piece.error()));
        out.push_back(std::move(*piece));
      } else {
        literal += rest.front();
        ++at_;
      }
    }
    flush();
    return out;
  }

 private:
  /// Behind `${`.
  Parsed<Piece> reference(int depth) {
    const auto open_ended =
        std::unexpected(Wrong{"has a ${ without its }", "close it, or write $${ for a literal ${"});
    const auto end = text_.find_first_of(":}", at_);
    if (end == std::string_view::npos) return open_ended;
    const std::string name{text_.substr(at_, end - at_)};
    at_ = end;
    Piece piece;
    if (const auto dot = name.find('.'); dot != std::string::npos) {
      piece = {Piece::Kind::field, name.substr(0, dot), name.substr(dot + 1), false, {}};
    } else if (parse_variable(name)) {
      piece = {Piece::Kind::variable, name, "", false, {}};
    } else {
      return std::unexpected(Wrong{fmt::format("refers to {}, which is no name", quoted(name)),
                                   "write ${NAME}, ${NAME:-default} or ${service.port}"});
    }
    if (text_.substr(at_).starts_with(":-")) {
      if (piece.kind == Piece::Kind::field) {
        return std::unexpected(
            Wrong{fmt::format("gives ${{{}}} a default, but a field of the plan has its value", name),
                  fmt::format("write ${{{}}}", name)});
      }
      if (depth == most_nested_defaults) {
        return std::unexpected(
            Wrong{fmt::format("nests defaults more than {} deep", most_nested_defaults), "use one variable"});
      }
      at_ += 2;
      auto fallback = pieces(depth + 1);
      if (!fallback) return std::unexpected(std::move(fallback.error()));
      piece.has_fallback = true;
      piece.fallback = std::move(*fallback);
    }
    if (at_ >= text_.size()) return open_ended;
    if (text_[at_] != '}') {
      return std::unexpected(
          Wrong{fmt::format("has a lone : in ${{{}}}", name), fmt::format("write ${{{}:-default}}", name)});
    }
    ++at_;
    return piece;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

Parsed<std::string> pod_field(const std::string& field, const Scope& scope) {
  if (field != "instance" && field != "data_dir" && field != "data_root" && field != "path") {
    return std::unexpected(
        Wrong{fmt::format("refers to ${{pod.{}}}, which is not a field to refer to", field),
              "the fields are ${pod.instance}, ${pod.data_dir}, ${pod.data_root} and ${pod.path}"});
  }
  const auto& value = field == "instance" ? scope.instance : field == "path" ? scope.path : scope.data_dir;
  if (!value) {
    return std::unexpected(Wrong{fmt::format("refers to ${{pod.{}}}, which is not known yet here", field),
                                 field == "instance" ? "use a variable: \"${INSTANCE_NAME:-demo}\""
                                                     : "${pod.instance} is known when data_dir is resolved"});
  }
  if (field != "data_root") return *value;
  const auto slash = value->rfind('/');  // of an absolute, normalised path
  return slash == 0 ? "/" : value->substr(0, slash);
}

Parsed<std::string> agents_field(const std::string& field, const Scope& scope) {
  if (field != "settings") {
    return std::unexpected(
        Wrong{fmt::format("refers to ${{agents.{}}}, which is not a field to refer to", field),
              "the field is ${agents.settings}"});
  }
  if (!scope.agents_settings) {
    return std::unexpected(
        Wrong{"refers to ${agents.settings}, which is not known yet here", "use it in a service's env"});
  }
  return *scope.agents_settings;
}

Parsed<std::string> service_field(const std::string& name, const std::string& field, const Scope& scope) {
  const auto service = scope.ports.find(name);
  if (service == scope.ports.end()) {
    std::vector<std::string_view> names{"pod"};
    for (const auto& [known, port] : scope.ports) names.push_back(known);
    const auto meant = base::nearest(name, names);
    return std::unexpected(
        Wrong{fmt::format("refers to ${{{}.{}}}, but there is no service {}", name, field, quoted(name)),
              meant ? fmt::format("did you mean ${{{}.{}}}?", *meant, field) : ""});
  }
  if (field != "port" && field != "url") {
    const auto meant = base::nearest(field, std::array<std::string_view, 2>{"port", "url"});
    return std::unexpected(
        Wrong{fmt::format("refers to ${{{}.{}}}, but a service has no such field", name, field),
              meant ? fmt::format("did you mean ${{{}.{}}}?", name, *meant) : "the fields are port and url"});
  }
  if (service->second == 0) {
    return std::unexpected(Wrong{fmt::format("refers to ${{{}.{}}}, but {} has no port", name, field, name),
                                 fmt::format("give {} a port", name)});
  }
  return field == "port" ? std::to_string(service->second)
                         : fmt::format("http://127.0.0.1:{}", service->second);
}

Parsed<std::string> self_field(const std::string& field, const Scope& scope) {
  if (!scope.self) {
    return std::unexpected(Wrong{fmt::format("refers to ${{self.{}}}, but stands in no service", field),
                                 "write it in [service], [task] or [template]"});
  }
  if (field == "name") return *scope.self;
  if (field == "port" || field == "url") {
    const auto port = scope.ports.find(*scope.self);
    if (port != scope.ports.end() && port->second != 0) return service_field(*scope.self, field, scope);
    return std::unexpected(
        Wrong{fmt::format("refers to ${{self.{}}}, but {} has no port", field, *scope.self),
              fmt::format("give {} a port", *scope.self)});
  }
  return std::unexpected(Wrong{fmt::format("refers to ${{self.{}}}, but a service has no such field", field),
                               "the fields are ${self.name}, ${self.port} and ${self.url}"});
}

Parsed<std::string> field_value(const Piece& piece, const Scope& scope) {
  if (piece.text == "self") return self_field(piece.field, scope);
  if (piece.text == "pod") return pod_field(piece.field, scope);
  if (piece.text == "agents") return agents_field(piece.field, scope);
  return service_field(piece.text, piece.field, scope);
}

/// What is wrong whatever the environment holds: also in a default that is not used today.
std::optional<Wrong> check(const Pieces& pieces, const Scope& scope, Variables variables) {
  for (const Piece& piece : pieces) {
    if (piece.kind == Piece::Kind::field) {
      if (auto value = field_value(piece, scope); !value) return value.error();
    } else if (piece.kind == Piece::Kind::variable) {
      if (variables == Variables::refused) {
        return Wrong{
            fmt::format("refers to ${{{}}} of the environment: every process can read a command line "
                        "or a path, and a value may be a secret",
                        piece.text),
            "set it in the service's env table, which only that service sees"};
      }
      if (auto wrong = check(piece.fallback, scope, variables)) return wrong;
    }
  }
  return std::nullopt;
}

/// The pieces were checked; what is left to go wrong is a variable that is not set.
Parsed<std::string> expand_checked(const Pieces& pieces, const Scope& scope) {
  std::string out;
  for (const Piece& piece : pieces) {
    if (piece.kind == Piece::Kind::literal) {
      out += piece.text;
      continue;
    }
    if (piece.kind == Piece::Kind::field) {
      out += field_value(piece, scope).value_or("");
      continue;
    }
    const auto value =
        scope.environment != nullptr && *scope.environment ? (*scope.environment)(piece.text) : std::nullopt;
    if (piece.has_fallback && (!value || value->empty())) {
      auto fallback = expand_checked(piece.fallback, scope);
      if (!fallback) return fallback;
      out += *fallback;
    } else if (!value) {
      return std::unexpected(Wrong{fmt::format("refers to ${{{}}}, which is not set", piece.text),
                                   fmt::format("set it, or give it a default: ${{{}:-...}}", piece.text)});
    } else {
      out += *value;
    }
  }
  return out;
}

}  // namespace

Parsed<Pieces> parse_references(std::string_view text) { return ReferenceParser{text}.pieces(0); }

bool needs_plan(const Pieces& pieces) {
  return std::ranges::any_of(pieces, [](const Piece& piece) {
    return piece.kind == Piece::Kind::field || needs_plan(piece.fallback);
  });
}

Parsed<std::string> expand(const Pieces& pieces, const Scope& scope, Variables variables) {
  if (auto wrong = check(pieces, scope, variables)) return std::unexpected(std::move(*wrong));
  return expand_checked(pieces, scope);
}

Parsed<Template> expand_fields(const Pieces& pieces, const Scope& scope) {
  if (auto wrong = check(pieces, scope, Variables::allowed)) return std::unexpected(std::move(*wrong));
  Template out;
  const auto append = [&out](std::string text) {
    if (text.empty()) return;
    if (!out.parts.empty() && std::holds_alternative<std::string>(out.parts.back())) {
      std::get<std::string>(out.parts.back()) += text;
    } else {
      out.parts.emplace_back(std::move(text));
    }
  };
  for (const Piece& piece : pieces) {
    if (piece.kind == Piece::Kind::literal) {
      append(piece.text);
    } else if (piece.kind == Piece::Kind::field) {
      append(field_value(piece, scope).value_or(""));
    } else {
      EnvReference reference{piece.text, std::nullopt};
      if (piece.has_fallback) {
        if (std::ranges::any_of(piece.fallback,
                                [](const Piece& p) { return p.kind == Piece::Kind::variable; })) {
          return std::unexpected(
              Wrong{fmt::format("gives ${{{}}} a default that refers to the environment", piece.text),
                    "in a service's env a default is text and fields of the plan: ${NAME:-${service.url}}"});
        }
        reference.fallback = expand_checked(piece.fallback, scope).value_or("");
      }
      out.parts.emplace_back(std::move(reference));
    }
  }
  return out;
}

}  // namespace arizuko::plan
