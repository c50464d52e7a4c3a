// ttsd: a proxy before a speech backend. /health is the backend's; logs are logfmt.
#include "daemon.hpp"
#include "daemons.hpp"

#include <fmt/format.h>

namespace rehearsal {
namespace {

asio::awaitable<Response> handle(const Request& request) {
  if (path_of(request) != "/health") co_return text_reply(404, "404 page not found\n");
  Call call;
  call.method = http::verb::get;
  call.url = Environment::text_or("TTS_BACKEND_URL", "http://kokoro:8880") + "/health";
  call.timeout = std::chrono::seconds(2);
  auto reply = co_await http_call(std::move(call));
  if (reply && reply->result_int() < 500) co_return json_reply(200, R"({"status":"ok"})");
  co_return error_reply(503, reply ? "backend down" : reply.error());
}

asio::awaitable<int> life(Daemon& daemon) {
  daemon.catch_stop_signals();
  co_await daemon.boot_faults();
  const bool up = co_await daemon.boot_delay(std::chrono::milliseconds(0));
  if (!up) co_return 0;
  const auto address = parse_go_address(Environment::text_or("TTSD_ADDR", ":8880"));
  const auto listening =
      daemon.listen(address, [](Request& request, const Tcp::endpoint&) { return handle(request); });
  if (!listening) {
    daemon.log().error("listen", {{"err", listening.error()}});
    co_return 1;
  }
  daemon.log().info("ttsd running", {{"addr", address->text}});
  co_await daemon.stop_requested();
  co_return 0;
}

}  // namespace

int run_ttsd() {
  Daemon daemon("ttsd", LogShape::Logfmt);
  return daemon.run(life(daemon));
}

}  // namespace rehearsal
