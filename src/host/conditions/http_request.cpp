#include "http_request.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace arizuko::host {
namespace {

bool has_holes(const plan::Template& text) {
  return std::ranges::any_of(
      text.parts, [](const auto& part) { return std::holds_alternative<plan::EnvReference>(part); });
}

std::string_view word_of(plan::Method method) {
  switch (method) {
    case plan::Method::get: return "GET";
    case plan::Method::head: return "HEAD";
    case plan::Method::options: return "OPTIONS";
    case plan::Method::post: return "POST";
  }
  return "GET";
}

bool ends_a_header(std::string_view value) {
  return std::ranges::any_of(value, [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; });
}

/// An empty value is no answer to a question: it would be found in every body, and be no secret at all.
std::expected<std::string, std::string> fill(const plan::Template& text,
                                             const env::Environment& environment) {
  std::string filled;
  for (const auto& part : text.parts) {
    if (const auto* plain = std::get_if<std::string>(&part)) {
      filled += *plain;
      continue;
    }
    const auto& hole = std::get<plan::EnvReference>(part);
    const auto found = environment.find(hole.name);
    if (found != environment.end() && !found->second.empty()) {
      filled += found->second;
    } else if (hole.fallback) {
      filled += *hole.fallback;
    } else {
      return std::unexpected(fmt::format("{} is not set", hole.name));
    }
  }
  return filled;
}

bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return (x | 0x20) == (y | 0x20); });
}

}  // namespace

bool has_holes(const plan::HttpCheck& check) {
  return has_holes(check.contains) ||
         std::ranges::any_of(check.headers, [](const auto& header) { return has_holes(header.second); });
}

std::expected<HttpQuestion, std::string> fill_in(const plan::HttpCheck& check,
                                                 const env::Environment& environment) {
  HttpQuestion question;
  auto contains = fill(check.contains, environment);
  if (!contains) return std::unexpected(std::move(contains.error()));
  question.contains = std::move(*contains);

  std::string& request = question.request;
  request = fmt::format("{} {} HTTP/1.1\r\n", word_of(check.method), check.path);
  const auto unless_given = [&](std::string_view name, const std::string& value) {
    const bool given =
        std::ranges::any_of(check.headers, [&](const auto& header) { return same_name(header.first, name); });
    if (!given) request += fmt::format("{}: {}\r\n", name, value);
  };
  // The numeric address: proxyd answers for a virtual host where the name matches one (T30).
  const bool v6 = check.address.contains(':');
  unless_given("Host", fmt::format(fmt::runtime(v6 ? "[{}]:{}" : "{}:{}"), check.address, check.port));
  unless_given("User-Agent", "arizuko-init");
  unless_given("Accept", "*/*");
  for (const auto& [name, text] : check.headers) {
    const auto value = fill(text, environment);
    if (!value) return std::unexpected(value.error());
    if (ends_a_header(*value)) {
      return std::unexpected(
          fmt::format("the value for the header {} holds a control character, which would end it", name));
    }
    request += fmt::format("{}: {}\r\n", name, *value);
  }
  if (check.method == plan::Method::post) request += "Content-Length: 0\r\n";
  request += "Connection: close\r\n\r\n";
  return question;
}

}  // namespace arizuko::host
