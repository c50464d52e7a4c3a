#include "generate.hpp"

#include <algorithm>
#include <string>

#include <fmt/format.h>

namespace arizuko::sim {

namespace {

using plan::Duration;
using plan::ServiceId;

const std::vector<std::string> keys = {"A", "B", "C", "D", "TOKEN", "SECRET"};

constexpr const char* weak_source = "dotenv:/weak";

std::string source_of(const std::string& key) {
  return key.size() == 1 ? "environment" : "dir:/secrets/" + key.substr(0, 1);
}

plan::Condition random_condition(Random& random, const std::string& path) {
  plan::Condition condition;
  condition.check = plan::FileCheck{path};
  condition.every = random.between(500, 3000);
  condition.failures = 1 + random.below(3);
  if (random.chance(15)) condition.wait = random.between(100, 8000);
  return condition;
}

plan::RestartPolicy random_restart(Random& random) {
  plan::RestartPolicy policy;
  policy.when = random.one_of<plan::RestartWhen>({plan::RestartWhen::always, plan::RestartWhen::always,
                                                  plan::RestartWhen::on_failure, plan::RestartWhen::never});
  policy.delay = random.between(0, 1500);
  policy.max_delay = std::max(policy.delay, random.between(1000, 20'000));
  policy.factor = 1.0 + 0.5 * random.below(5);
  policy.jitter = 0.1 * random.below(6);
  policy.stable = random.between(500, 20'000);
  policy.budget = random.chance(50) ? 0 : 1 + random.below(6);
  policy.window = random.between(5'000, 200'000);
  return policy;
}

// A few of the services before `id`, each with this chance.
std::vector<ServiceId> earlier(Random& random, ServiceId id, std::uint32_t percent) {
  std::vector<ServiceId> list;
  for (ServiceId other = 0; other < id; ++other) {
    if (random.chance(percent)) list.push_back(other);
  }
  return list;
}

void random_links(Random& random, plan::Service& service, ServiceId id,
                  const std::vector<plan::Service>& others) {
  service.after = earlier(random, id, 60 / (id + 1) + 5);
  service.after_tried = earlier(random, id, 8);
  service.bound_to.clear();
  for (const ServiceId other : service.after) {
    const bool both_services =
        service.kind == plan::Kind::service && others[other].kind == plan::Kind::service;
    if (both_services && random.chance(60)) service.bound_to.push_back(other);
  }
}

void random_values_of(Random& random, plan::Service& service) {
  service.take.clear();
  service.need.clear();
  service.env.clear();
  if (random.chance(40)) service.take = {random.one_of(keys)};
  if (random.chance(20)) service.need = {random.one_of(keys)};
  if (random.chance(30)) {
    service.env.emplace_back("URL",
                             plan::Template{{"http://", plan::EnvReference{random.one_of(keys), "x"}}});
  }
}

// "t3" is a task, "s3" a service: a name that comes back after an edit is the same kind of thing.
plan::Service random_service(Random& random, ServiceId id, const std::string& name,
                             const std::vector<plan::Service>& others) {
  plan::Service service;
  service.name = name;
  service.kind = name.starts_with('t') ? plan::Kind::task : plan::Kind::service;
  service.command = {name};
  random_links(random, service, id, others);
  service.enabled = !random.chance(5);
  if (random.chance(15)) service.enabled_when = {{{random.one_of(keys), std::nullopt}}};
  random_values_of(random, service);
  service.ready_within = random.between(500, 15'000);
  service.essential = random.chance(8);
  service.restart = random_restart(random);
  if (service.essential) service.restart.verdict = plan::Verdict::end_pod;
  service.stop.timeout = random.between(100, 4000);
  service.stop.leftovers = random.between(0, 1500);
  if (service.kind == plan::Kind::task) {
    if (random.chance(70)) service.restart.when = plan::RestartWhen::never;
    if (service.restart.when == plan::RestartWhen::always)
      service.restart.when = plan::RestartWhen::on_failure;
    if (random.chance(50)) service.creates = "/made/" + name;
    for (std::uint32_t i = random.below(3); i > 0; --i)
      service.verify.push_back(fmt::format("/verify/{}/{}", name, i));
    return service;
  }
  for (std::uint32_t i = random.below(4); i > 0; --i) {
    service.ready.push_back(random_condition(random, fmt::format("/ready/{}/{}", name, i)));
  }
  for (std::uint32_t i = random.below(5); i > 2; --i) {
    service.live.push_back(random_condition(random, fmt::format("/live/{}/{}", name, i)));
    if (random.chance(40)) service.live.back().looked_at = plan::LookedAt::while_ready;
  }
  service.on_change = random.one_of<plan::OnChange>(
      {plan::OnChange::restart, plan::OnChange::restart, plan::OnChange::signal, plan::OnChange::ignore});
  service.change_signal = 1;
  if (service.on_change == plan::OnChange::restart && random.chance(30))
    service.cached = {{random.one_of(keys), {"/login/" + name}}};
  return service;
}

void choose_ready_when(Random& random, plan::Plan& plan) {
  plan.pod.ready_when.clear();
  for (ServiceId id = 0; id < plan.services.size(); ++id) {
    if (plan.services[id].kind == plan::Kind::service && random.chance(30)) plan.pod.ready_when.push_back(id);
  }
}

void remove(plan::Plan& plan, ServiceId gone) {
  plan.services.erase(plan.services.begin() + gone);
  const auto forget = [gone](std::vector<ServiceId>& list) {
    std::erase(list, gone);
    for (ServiceId& id : list) id -= id > gone ? 1 : 0;
  };
  for (plan::Service& service : plan.services) {
    forget(service.after);
    forget(service.bound_to);
    forget(service.after_tried);
  }
  forget(plan.pod.ready_when);
}

void edit_one(plan::Plan& plan, Random& random) {
  const ServiceId id = random.below(static_cast<std::uint32_t>(plan.services.size()));
  plan::Service& service = plan.services[id];
  switch (random.below(8)) {
    case 0: service.description = "edited"; return;
    case 1: service.stop.timeout = random.between(100, 4000); return;
    case 2: service.enabled = !service.enabled; return;
    case 3: service.command.push_back("--edited"); return;
    case 4:
      if (service.kind == plan::Kind::task) {
        service.verify.push_back("/verify/" + service.name + "/edited");
      } else {
        service.ready.resize(random.below(2), random_condition(random, "/ready/edited"));
      }
      return;
    case 5: random_values_of(random, service); return;
    case 6: random_links(random, service, id, plan.services); return;
    case 7: service.restart = random_restart(random); return;
  }
}

}  // namespace

plan::Plan random_plan(Random& random) {
  plan::Plan plan;
  plan.pod.instance = "sim";
  plan.pod.grace = random.between(2'000, 40'000);
  if (random.chance(50)) plan.env.common = {random.one_of(keys)};
  if (random.chance(30)) plan.env.guarded = {"SECRET"};
  using Kind = plan::Source::Kind;
  plan.env.sources = {{Kind::dotenv, "/weak"},
                      {Kind::environment, ""},
                      {Kind::directory, "/secrets/T"},
                      {Kind::directory, "/secrets/S"}};
  const std::uint32_t size = 1 + random.below(12);
  for (ServiceId id = 0; id < size; ++id) {
    plan.services.push_back(
        random_service(random, id, fmt::format("{}{}", random.chance(20) ? 't' : 's', id), plan.services));
  }
  choose_ready_when(random, plan);
  return plan;
}

plan::Plan edited(plan::Plan plan, Random& random) {
  for (std::uint32_t i = random.below(3); i > 0; --i) edit_one(plan, random);
  if (plan.services.size() > 1 && random.chance(20)) {
    remove(plan, random.below(static_cast<std::uint32_t>(plan.services.size())));
  }
  if (plan.services.size() < 14 && random.chance(20)) {
    // A name that was there before may come back.
    std::string name;
    do {
      name = fmt::format("{}{}", random.chance(20) ? 't' : 's', random.below(20));
    } while (plan.find(name));
    const auto id = static_cast<ServiceId>(plan.services.size());
    plan.services.push_back(random_service(random, id, name, plan.services));
  }
  if (random.chance(10)) choose_ready_when(random, plan);
  return plan;
}

env::SnapshotPtr random_values(Random& random, env::Generation generation, Values which) {
  auto snapshot = std::make_shared<env::Snapshot>();
  snapshot->generation = generation;
  for (const std::string& key : keys) {
    if (which == Values::any && random.chance(10)) continue;
    snapshot->values[key] = {fmt::format("{}{}", key, random.below(3)), source_of(key)};
  }
  return snapshot;
}

env::SnapshotPtr changed_values(const env::Snapshot& before, Random& random, env::Generation generation) {
  auto snapshot = std::make_shared<env::Snapshot>(before);
  snapshot->generation = generation;
  for (std::uint32_t i = random.below(3); i > 0; --i) {
    const std::string& key = random.one_of(keys);
    snapshot->unusable.erase(key);
    if (random.chance(30)) {
      snapshot->values.erase(key);
      if (random.chance(30)) snapshot->unusable[key] = "the value holds a NUL byte";
    } else {
      const std::string source = random.chance(15) ? weak_source : source_of(key);
      snapshot->values[key] = {fmt::format("{}{}", key, random.below(4)), source};
    }
  }
  return snapshot;
}

}  // namespace arizuko::sim
