// In which order services take their turn, asked without an engine. In the engine: turns_test.cpp.
#include "../../src/engine/turns.hpp"

#include "harness.hpp"

namespace arizuko::tests {

namespace {

// The names in the order of their turns: each has its own when those before it have had theirs.
std::string order_of(const PlanBuilder& builder, Names pending) {
  const Dependencies dependencies(builder.plan);
  std::set<ServiceId> left;
  for (const std::string_view name : pending) left.insert(builder.plan.find(std::string(name)).value());
  std::string order;
  while (const std::optional<ServiceId> next = next_in_turn(builder.plan, dependencies, left)) {
    order += (order.empty() ? "" : " ") + builder.plan.services[*next].name;
    left.erase(*next);
  }
  CHECK(left.empty());
  return order;
}

}  // namespace

TEST_CASE("turns: what others come after goes first") {
  PlanBuilder builder;
  builder.service("gated");
  builder.service("slakd", {"gated"});
  builder.service("teled", {"gated"});
  CHECK_EQ(order_of(builder, {"teled", "slakd", "gated"}), "gated slakd teled");
}

TEST_CASE("turns: far behind one that is pending is behind it, though what is between them is not") {
  PlanBuilder builder;
  builder.service("gated").essential = true;
  builder.service("slakd", {"gated"});
  builder.service("webd", {"slakd"});
  CHECK_EQ(order_of(builder, {"webd", "gated"}), "gated webd");
}

TEST_CASE(
    "turns: among equals the least critical goes first: not essential, not asked for, with few behind it") {
  PlanBuilder builder;
  builder.service("essential").essential = true;
  builder.service("asked");
  builder.service("with-many");
  builder.service("with-none");
  builder.service("behind", {"with-many"});
  builder.plan.pod.ready_when = {builder.plan.find("asked").value()};
  CHECK_EQ(order_of(builder, {"essential", "asked", "with-many", "with-none"}),
           "with-none with-many asked essential");
}

TEST_CASE("turns: the pod cannot do without what is essential or in ready_when") {
  PlanBuilder builder;
  builder.service("essential").essential = true;
  builder.service("asked");
  builder.service("other");
  builder.plan.pod.ready_when = {1};
  CHECK(is_indispensable(builder.plan, 0));
  CHECK(is_indispensable(builder.plan, 1));
  CHECK_FALSE(is_indispensable(builder.plan, 2));
}

TEST_CASE("turns: nobody is next when nobody is pending") {
  PlanBuilder builder;
  builder.service("gated");
  CHECK_EQ(order_of(builder, {}), "");
}

}  // namespace arizuko::tests
