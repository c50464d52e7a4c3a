// Two services that get into each other's way although each is right by itself: most often a second account
// of one program that was written by copying, or inherits what it should have of its own.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <tuple>

#include "arizuko/plan/show.hpp"
#include "draft.hpp"

namespace arizuko::plan {
namespace {

const Template* text_of(const Service& service, std::string_view name) {
  const auto found = std::ranges::find(service.env, name, [](const auto& each) { return each.first; });
  return found == service.env.end() ? nullptr : std::get_if<Template>(&found->second);
}

/// One is on for "MODE=a", the other for "MODE=b".
bool exclude_each_other(const Service& a, const Service& b) {
  const auto asks = [](const AnyOf& any) { return any.size() == 1 && any.front().value; };
  return std::ranges::any_of(a.enabled_when, [&](const AnyOf& one) {
    return asks(one) && std::ranges::any_of(b.enabled_when, [&](const AnyOf& other) {
             return asks(other) && other.front().name == one.front().name &&
                    other.front().value != one.front().value;
           });
  });
}

bool both_run(const Service& a, const Service& b) {
  return a.enabled && b.enabled && !exclude_each_other(a, b);
}

/// The port in "127.0.0.1:9001", "http://127.0.0.1:9001/x", ":9001" or "9001".
std::optional<std::uint16_t> port_in(std::string_view text) {
  if (const auto scheme = text.find("://"); scheme != text.npos) text.remove_prefix(scheme + 3);
  text = text.substr(0, text.find('/'));
  if (const auto colon = text.rfind(':'); colon != text.npos) text.remove_prefix(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

/// "TELEGRAM_BOT_TOKEN_TELED_WORK"
std::string key_of_its_own(const std::string& key, const std::string& service) {
  std::string out = key + "_";
  for (const char c : service)
    out += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return out;
}

class AccountCheck {
 public:
  AccountCheck(const Node& root, const Draft& draft, Problems& problems)
      : root_(root), draft_(draft), problems_(problems) {
    for (const ServiceDraft& each : draft.services) {
      if (each.service.port != 0 && each.service.enabled) ports_.emplace(each.service.port, &each);
      for (const Taken& taken : each.service.need) {
        const auto [program, fresh] = programs_.emplace(taken.key, program_of(each));
        if (!fresh && program->second != program_of(each)) program->second.clear();
      }
    }
  }

  void service(const ServiceDraft& one) {
    if (!one.service.enabled) return;
    channel_name(one);
    data_dir(one);
    token(one);
    switched(one);
    listener(one);
    joined(one);
  }

 private:
  using Seen = std::map<std::tuple<std::string, std::string>, std::vector<const ServiceDraft*>>;

  static std::string program_of(const ServiceDraft& one) {
    return one.service.command.empty() ? "" : one.service.command.front();
  }

  /// The first of those seen that runs beside this one.
  static const ServiceDraft* beside(std::vector<const ServiceDraft*>& seen, const ServiceDraft& one) {
    const auto found = std::ranges::find_if(
        seen, [&](const ServiceDraft* other) { return both_run(other->service, one.service); });
    const ServiceDraft* other = found == seen.end() ? nullptr : *found;
    seen.push_back(&one);
    return other;
  }

  /// What the router keeps its channels by.
  void channel_name(const ServiceDraft& one) {
    const Template* name = text_of(one.service, "CHANNEL_NAME");
    if (name == nullptr || name->empty()) return;
    const ServiceDraft* other = beside(names_[{to_text(*name), ""}], one);
    if (other == nullptr) return;
    warn(one, "env.CHANNEL_NAME", quoted(to_text(*name)),
         fmt::format(
             "is already the CHANNEL_NAME of {} at {}: of two channels with one name the later replaces the "
             "earlier, and nobody says so",
             other->service.name, place_text(locate(root_, other->key + ".env.CHANNEL_NAME"))),
         "give each its own");
  }

  /// Where one program keeps sessions and offsets, under names that it does not vary.
  void data_dir(const ServiceDraft& one) {
    const Template* directory = text_of(one.service, "DATA_DIR");
    if (directory == nullptr || directory->empty() || *directory == literal(draft_.plan.pod.data_dir)) return;
    const ServiceDraft* other = beside(directories_[{program_of(one), to_text(*directory)}], one);
    if (other == nullptr) return;
    warn(one, "env.DATA_DIR", quoted(to_text(*directory)),
         fmt::format(
             "is already the DATA_DIR of {} at {}, which runs the same program: each would use the session "
             "of the other",
             other->service.name, place_text(locate(root_, other->key + ".env.DATA_DIR"))),
         "give each its own: \"${pod.data_dir}/${self.name}\", which make_dirs makes");
  }

  /// The key that switches both on, and that no other program needs.
  void token(const ServiceDraft& one) {
    const Service& service = one.service;
    const auto is_token = [&](const Taken& taken) {
      return is_switched_by(service, taken.key) && !programs_.at(taken.key).empty();
    };
    const auto taken = std::ranges::find_if(service.need, is_token);
    if (taken == service.need.end()) return;
    std::vector<const ServiceDraft*>& seen = tokens_[{taken->name, taken->key}];
    const auto same = std::ranges::find_if(seen, [&](const ServiceDraft* other) {
      return both_run(other->service, service) && other->service.enabled_when == service.enabled_when;
    });
    const ServiceDraft* other = same == seen.end() ? nullptr : *same;
    seen.push_back(&one);
    if (other == nullptr) return;
    warn(one, "need", taken->key,
         fmt::format("is already what {} at {} is switched on by and logs in with: two of one account",
                     other->service.name, place_text(other->service.where)),
         fmt::format("give it its own: need = [\"...\", \"{} = {}\"], and enabled_when", taken->name,
                     key_of_its_own(taken->key, service.name)));
  }

  /// On by a key that it has given up for another: the first account's token would switch the second on.
  void switched(const ServiceDraft& one) {
    const Service& service = one.service;
    for (const AnyOf& any : service.enabled_when) {
      for (const EnabledWhen& condition : any) {
        const std::string key = key_given_as(condition.name, service);
        const auto is_key = [&](const Taken& taken) { return taken.key == condition.name; };
        const bool takes =
            std::ranges::any_of(service.need, is_key) || std::ranges::any_of(service.take, is_key);
        if (key == condition.name || takes) continue;
        warn(one, "enabled_when", condition.name,
             fmt::format("switches it on, but it gets the value of {} as {}", key, condition.name),
             fmt::format("write enabled_when = [\"{}\"]", key));
      }
    }
  }

  /// Where it says that it listens, in whichever variable.
  void listener(const ServiceDraft& one) {
    for (const auto& [name, value] : one.service.env) {
      const auto* text = std::get_if<Template>(&value);
      if (text == nullptr || !name.contains("LISTEN") || text->parts.size() != 1) continue;
      const auto* plain = std::get_if<std::string>(&text->parts.front());
      const auto port = plain == nullptr ? std::nullopt : port_in(*plain);
      const auto owner = port ? ports_.find(*port) : ports_.end();
      // Where both have the port, check_ports says so.
      if (owner == ports_.end() || *port == one.service.port) continue;
      warn(one, "env." + name, quoted(*plain),
           fmt::format("names the port of {} at {}: who calls this service would reach that one",
                       owner->second->service.name, place_text(locate(root_, owner->second->key + ".port"))),
           plain->contains("://") ? "write \"${self.url}\"" : "write the port as ${self.port}");
    }
  }

  /// Of two entries of a list with one value, as of keys that tell who calls, the last wins.
  void joined(const ServiceDraft& one) {
    for (const auto& [name, value] : one.service.env) {
      const auto* list = std::get_if<Joined>(&value);
      if (list == nullptr) continue;
      const Entry* written = one.table->find("env")->value.find(name)->value.find("of");
      std::map<std::string, std::size_t> seen;
      for (std::size_t i = 0; i < list->items.size() && i < written->value.items.size(); ++i) {
        each_reference(list->items[i], [&](const EnvReference& reference) {
          const auto [first, fresh] = seen.emplace(reference.name, i);
          if (fresh) return;
          problems_.push_back(
              {Severity::warning, written->value.items[i].where, fmt::format("{}.env.{}.of", one.key, name),
               fmt::format("refers to ${{{}}} again, after {}: two entries with one value", reference.name,
                           place_text(written->value.items[first->second].where)),
               "give each entry its own key"});
        });
      }
    }
  }

  /// At the value; where it is inherited, at the service that should have its own.
  void warn(const ServiceDraft& one, const std::string& below, const std::string& value,
            const std::string& what, std::string fix) {
    const auto key = one.key + "." + below;
    const Location written = locate(root_, key);
    const bool inherited = is_inherited(one, below);
    problems_.push_back({Severity::warning, inherited ? one.service.where : written, key,
                         inherited
                             ? fmt::format("{}, inherited from {}, {}", value, place_text(written), what)
                             : value + " " + what,
                         std::move(fix)});
  }

  const Node& root_;
  const Draft& draft_;
  Problems& problems_;
  std::map<std::uint16_t, const ServiceDraft*> ports_;
  std::map<std::string, std::string>
      programs_;  // a needed key and the one program that needs it; "": several
  Seen names_, directories_, tokens_;
};

}  // namespace

void check_accounts(const Node& root, const Draft& draft, Problems& problems) {
  AccountCheck check{root, draft, problems};
  for (const ServiceDraft& one : draft.services) check.service(one);
}

}  // namespace arizuko::plan
