#include "secrets_json.hpp"

#include <boost/json.hpp>

#include "arizuko/api/json_text.hpp"
#include "arizuko/base/times.hpp"

namespace arizuko::api {

namespace {

namespace json = boost::json;

class Times {
 public:
  explicit Times(const host::Instance& instance) : instance_(instance) {}
  json::value operator()(const std::optional<engine::Instant>& instant) const {
    if (!instant) return nullptr;
    return json::value(base::rfc3339(instance_.unix_nanoseconds(*instant)));
  }

 private:
  const host::Instance& instance_;
};

json::array list(const std::vector<std::string>& names) {
  json::array array;
  for (const std::string& name : names) array.emplace_back(json_text(name));
  return array;
}

json::value or_null(const std::string& text) {
  if (text.empty()) return nullptr;
  return json_text(text);
}

json::value seconds(std::optional<engine::Instant> from, std::optional<engine::Instant> to) {
  if (!from || !to) return nullptr;
  return json::value(std::chrono::duration<double>(*to - *from).count());
}

json::object rotation_object(const engine::RotationView& view, const Times& time) {
  json::object object;
  object["generation"] = view.generation;
  object["before"] = view.before;
  object["outcome"] = view.outcome ? json::value(engine::to_text(*view.outcome)) : json::value(nullptr);
  object["phase"] = view.outcome ? json::value(nullptr) : json::value(engine::to_text(view.phase));
  object["cause"] = or_null(view.cause);
  object["added"] = list(view.keys.added);
  object["changed"] = list(view.keys.changed);
  object["removed"] = list(view.keys.removed);
  object["services"] = list(view.services);
  object["remaining"] = list(view.remaining);
  object["switched"] = time(view.switched);
  object["began"] = time(view.began);
  object["all_ready"] = time(view.all_ready);
  object["ended"] = time(view.ended);
  object["seconds_to_ready"] = seconds(view.switched ? view.switched : view.began, view.all_ready);
  return object;
}

json::array key_objects(const host::Instance& instance, const Times& time) {
  json::array keys;
  for (const host::KeyFacts& key : instance.keys()) {
    keys.push_back(json::object{{"name", key.name},
                                {"source", or_null(key.source)},
                                {"since", time(key.since)},
                                {"guarded", key.guarded},
                                {"fingerprint", or_null(key.fingerprint)},
                                {"taken_by", list(key.taken_by)}});
  }
  return keys;
}

json::array service_objects(const engine::View& view, const Times& time) {
  json::array services;
  for (const engine::ServiceView& each : view.services) {
    if (each.runs.spawns == 0 || !engine::is_up(each.state)) continue;
    services.push_back(json::object{{"name", each.name},
                                    {"generation", each.run.generation},
                                    {"since", time(each.run.values_since)},
                                    {"old_values", each.run.old_values}});
  }
  return services;
}

}  // namespace

std::string secrets_json(const host::Instance& instance) {
  const engine::View& view = instance.view();
  const Times time(instance);
  json::object page;
  page["generation"] = view.values.generation;
  page["since"] = time(view.values.values_since);
  page["rotation"] =
      view.values.rotation ? json::value(rotation_object(*view.values.rotation, time)) : json::value(nullptr);
  page["waiting"] = nullptr;
  if (view.values.waiting_values) {
    page["waiting"] = json::object{{"generation", view.values.waiting_values->generation},
                                   {"cause", json_text(view.values.waiting_values->cause)},
                                   {"until", time(view.values.waiting_values->until)}};
  }
  json::array held;
  for (const engine::HeldKeyView& each : view.values.held_keys) {
    held.push_back(json::object{{"key", each.key},
                                {"how", each.how},
                                {"blocks", each.blocks},
                                {"why", engine::to_text(each.why)},
                                {"reason", json_text(each.reason)},
                                {"remedy", json_text(each.remedy)},
                                {"generation", each.generation},
                                {"since", time(each.since)},
                                {"retry_at", time(each.retry_at)}});
  }
  page["held"] = std::move(held);
  json::object outcomes;
  for (std::size_t i = 0; i < engine::outcomes; ++i) {
    outcomes[engine::to_text(static_cast<engine::Outcome>(i))] = view.values.rotations[i];
  }
  page["outcomes"] = std::move(outcomes);
  page["keys"] = key_objects(instance, time);
  page["services"] = service_objects(view, time);
  return json::serialize(page);
}

}  // namespace arizuko::api
