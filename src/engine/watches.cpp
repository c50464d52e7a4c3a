#include "arizuko/engine/action.hpp"

namespace arizuko::engine {

WatchNumbers watch_numbers(const plan::Service& service) {
  WatchNumbers numbers;
  numbers.live = static_cast<std::uint32_t>(service.ready.size());
  numbers.creates = numbers.live + static_cast<std::uint32_t>(service.live.size());
  numbers.verify = numbers.creates + (service.creates ? 1U : 0U);
  numbers.end = numbers.verify + static_cast<std::uint32_t>(service.verify.size());
  return numbers;
}

plan::Condition watched_condition(const plan::Service& service, std::uint32_t watch) {
  const WatchNumbers numbers = watch_numbers(service);
  if (watch < numbers.live) return service.ready[watch];
  if (watch < numbers.creates) return service.live[watch - numbers.live];
  plan::Condition condition;
  condition.check = plan::FileCheck{watch < numbers.verify ? service.creates.value_or("")
                                                           : service.verify.at(watch - numbers.verify)};
  return condition;
}

}  // namespace arizuko::engine
