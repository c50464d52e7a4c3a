// Which values are secret. The table of examples is tests/env/redaction_rules_test.cpp.
#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "arizuko/env/redaction.hpp"
#include "arizuko/env/scope.hpp"
#include "redaction_encodings.hpp"

namespace arizuko::env {
namespace {

constexpr std::array<std::string_view, 25> secret_words = {
    "TOKEN",  "TOKENS",      "SECRET",  "SECRETS", "KEY",  "KEYS", "APIKEY",   "PASSWORD", "PASSWORDS",
    "PASSWD", "PASSPHRASE",  "PASS",    "PWD",     "HMAC", "SALT", "SEED",     "BEARER",   "CREDENTIAL",
    "COOKIE", "CREDENTIALS", "PRIVATE", "PAT",     "PIN",  "CERT", "SIGNATURE"};

// A name that ends so is about a secret, or about something that has nothing to hide.
constexpr std::array<std::string_view, 19> plain_words = {
    "URL",  "URI", "FILE",    "PATH", "DIR",  "ID",      "NAME",  "HOST", "ADDR", "PORT",
    "MODE", "TTL", "TIMEOUT", "TYPE", "ALGO", "ENABLED", "LIMIT", "SIZE", "MODEL"};

// Long and unpronounceable by nature, and no secret: an image's digest, a version's commit.
constexpr std::array<std::string_view, 3> open_words = {"IMAGE", "VERSION", "DIGEST"};

template <class Words>
bool is_one_of(const Words& words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

std::string_view last_word(std::string_view name) { return name.substr(name.rfind('_') + 1); }

// -----------------------------------------------------------------------------------------------
// Bits

enum class Sort { lower, upper, digit, symbol };

bool is_structure(char c) { return std::string_view(" \t\r\n/.-_:,;=@?&\"'()[]{}").contains(c); }

Sort sort_of(char c) {
  if (c >= 'a' && c <= 'z') return Sort::lower;
  if (c >= 'A' && c <= 'Z') return Sort::upper;
  if (c >= '0' && c <= '9') return Sort::digit;
  return Sort::symbol;
}

/// What one run is made of: "Arizuko2026" has two pieces, "x7Kq" has four.
struct Run {
  std::array<std::size_t, 4> counts{};  // by Sort
  std::size_t pieces = 0;
  std::size_t vowels = 0;
  std::size_t different = 0;
  bool hex = true;
};

Run describe(std::string_view run) {
  Run it;
  std::array<bool, 256> seen{};
  for (std::size_t i = 0; i < run.size(); ++i) {
    const char c = run[i];
    const Sort sort = sort_of(c);
    const Sort before = i == 0 ? Sort::symbol : sort_of(run[i - 1]);
    // "Berlin" is one piece: a capital belongs to the small letters behind it.
    const bool goes_on = sort == before || (before == Sort::upper && sort == Sort::lower &&
                                            (i < 2 || sort_of(run[i - 2]) != Sort::upper));
    if (i == 0 || sort == Sort::symbol || !goes_on) ++it.pieces;
    ++it.counts[static_cast<std::size_t>(sort)];
    if (std::string_view("aeiouyAEIOUY").contains(c)) ++it.vowels;
    it.hex = it.hex && ((c >= 'a' && c <= 'f') || sort == Sort::digit);
    bool& known = seen[static_cast<unsigned char>(c)];
    it.different += known ? 0 : 1;
    known = true;
  }
  return it;
}

/// Words, numbers and what is put together of a few of them: "production", "arizuko2026", "utf8mb4".
bool people_write_it(const Run& it, std::size_t size) {
  constexpr std::size_t longest = 20;
  constexpr std::size_t longest_number = 12;
  const std::size_t letters = it.counts[0] + it.counts[1];
  const std::size_t digits = it.counts[2];
  if (size < 6) return true;
  if (size > longest || digits > longest_number || size < 3 * it.pieces) return false;
  return letters < 4 || it.vowels * 6 >= letters;
}

double bits_of_run(std::string_view run) {
  const Run it = describe(run);
  if (people_write_it(it, run.size())) return 0;
  double alphabet = 0;
  constexpr std::array<double, 4> sizes = {26, 26, 10, 32};
  for (std::size_t i = 0; i < sizes.size(); ++i) alphabet += it.counts[i] > 0 ? sizes[i] : 0;
  if (it.hex) alphabet = it.counts[0] > 0 ? 16 : 10;
  const auto size = static_cast<double>(run.size());
  // What repeats itself is worth less: as many different characters are expected of a random run.
  const double expected = alphabet * (1 - std::pow(1 - 1 / alphabet, size));
  return size * std::log2(alphabet) * std::min(1.0, static_cast<double>(it.different) / expected);
}

// -----------------------------------------------------------------------------------------------
// What the plan shows

/// A text that the plan itself gives to a variable whose name says secret; empty where it does not.
std::string_view secret_literal(std::string_view name, const plan::EnvValue& value) {
  const auto* text = std::get_if<plan::Template>(&value);
  if (text == nullptr || text->parts.size() != 1) return {};
  const auto* literal = std::get_if<std::string>(&text->parts.front());
  return literal != nullptr && name_says_secret(name) ? std::string_view(*literal) : std::string_view();
}

class Shown {
 public:
  explicit Shown(const plan::Plan& plan) {
    const plan::Pod& pod = plan.pod;
    for (const std::string* text :
         {&pod.instance, &pod.data_dir, &pod.run_dir, &pod.control, &pod.path, &pod.termination_log}) {
      texts_.push_back(*text);
    }
    add(pod.make_dirs);
    for (const plan::Source& source : plan.env.sources) texts_.push_back(source.path);
    for (const plan::Service& service : plan.services) add(service);
  }
  bool holds(std::string_view value) const {
    return std::ranges::any_of(texts_, [&](const std::string& text) { return text.contains(value); });
  }

 private:
  void add(const std::vector<std::string>& texts) { texts_.insert(texts_.end(), texts.begin(), texts.end()); }
  void add(const plan::Service& service) {
    texts_.push_back(service.name);
    texts_.push_back(service.cwd);
    add(service.command);
    add(service.verify);
    if (service.creates) texts_.push_back(*service.creates);
    for (const auto* conditions : {&service.ready, &service.live}) {
      for (const plan::Condition& condition : *conditions) texts_.push_back(plan::to_text(condition));
    }
    for (const auto& [name, value] : service.env) {
      if (!secret_literal(name, value).empty()) continue;
      if (const auto* text = std::get_if<plan::Template>(&value)) {
        add(*text);
      } else {
        for (const plan::Template& item : std::get<plan::Joined>(value).items) add(item);
      }
    }
  }
  void add(const plan::Template& text) {
    for (const auto& part : text.parts) {
      if (const auto* literal = std::get_if<std::string>(&part)) texts_.push_back(*literal);
    }
  }

  std::vector<std::string> texts_;
};

std::set<std::string> names_for_services(const plan::Plan& plan) {
  std::set<std::string> names;
  for (const plan::Service& service : plan.services) {
    for (std::string& name : scope(plan, service)) names.insert(std::move(name));
  }
  return names;
}

}  // namespace

bool name_says_secret(std::string_view name) {
  if (name == "PWD") return false;  // every shell's working directory
  if (is_one_of(plain_words, last_word(name))) return false;
  while (!name.empty()) {
    const std::size_t end = name.find('_');
    if (is_one_of(secret_words, name.substr(0, end))) return true;
    name = end == std::string_view::npos ? std::string_view{} : name.substr(end + 1);
  }
  return false;
}

double estimated_bits(std::string_view value) {
  double bits = 0;
  for (std::size_t at = 0; at < value.size();) {
    std::size_t end = at;
    while (end < value.size() && !is_structure(value[end])) ++end;
    if (end > at) bits += bits_of_run(value.substr(at, end - at));
    at = end + 1;
  }
  return bits;
}

Secrets secrets_of(const plan::Plan& plan, const Snapshot& snapshot) {
  const Shown shown(plan);
  const std::set<std::string> for_services = names_for_services(plan);
  const auto may_be_given = [&](const std::string& name, const Value& value) {
    return value.source != plan::Source::environment_name || for_services.contains(name);
  };
  const std::string generated = plan.env.generated.empty() ? "" : plan::to_text(plan.env.sources.front());
  const auto is_secret = [&](const std::string& name, const Value& value) {
    if (name_says_secret(name) || (!generated.empty() && value.source == generated)) return true;
    if (!password_in_url(value.text).empty()) return true;
    if (is_one_of(plan.env.common, name) || is_one_of(open_words, last_word(name))) return false;
    return may_be_given(name, value) && estimated_bits(value.text) >= min_secret_bits &&
           !shown.holds(value.text);
  };
  Secrets secrets;
  for (const auto& [name, value] : snapshot.values) {
    if (value.text.size() >= min_secret_bytes) {
      if (is_secret(name, value)) secrets.values.push_back({name, value.text});
    } else if (!value.text.empty() && name_says_secret(name) && may_be_given(name, value)) {
      secrets.too_short.push_back(name);
    }
  }
  for (const plan::Service& service : plan.services) {
    for (const auto& [name, text] : service.env) {
      const std::string_view literal = secret_literal(name, text);
      if (literal.size() >= min_secret_bytes) secrets.values.push_back({name, literal});
    }
  }
  return secrets;
}

}  // namespace arizuko::env
