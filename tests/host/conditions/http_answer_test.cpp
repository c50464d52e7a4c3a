#include "arizuko/host/conditions/http_answer.hpp"

#include <doctest/doctest.h>

using namespace arizuko::host;

namespace {

/// The whole text at once, or one byte after the other: the same comes out.
HttpAnswer read(const std::string& text, HttpAnswer::Body body = HttpAnswer::Body::may_follow) {
  HttpAnswer whole(body);
  whole.take(text);
  HttpAnswer bytes(body);
  for (const char c : text) bytes.take({&c, 1});
  CHECK(whole.state() == bytes.state());
  CHECK(whole.status() == bytes.status());
  CHECK(whole.body() == bytes.body());
  CHECK(whole.trouble() == bytes.trouble());
  return whole;
}

std::string trouble_of(const std::string& text) {
  HttpAnswer answer = read(text);
  answer.close();
  CHECK(answer.state() == HttpAnswer::State::broken);
  return answer.trouble();
}

}  // namespace

TEST_CASE("http answer: 103 Early Hints is on the way to the answer, not the answer") {
  const auto answer = read(
      "HTTP/1.1 103 Early Hints\r\nLink: </x.css>; rel=preload\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  CHECK(answer.state() == HttpAnswer::State::complete);
  CHECK(answer.status() == 200);
  CHECK(answer.body() == "ok");
}

TEST_CASE("http answer: a head whose lines end in LF alone is read") {
  const auto answer = read("HTTP/1.0 200 OK\nContent-Length: 2\n\nok");
  CHECK(answer.state() == HttpAnswer::State::complete);
  CHECK(answer.status() == 200);
  CHECK(answer.body() == "ok");
}

TEST_CASE("http answer: a status line without a reason, and without its blank, is read") {
  for (const std::string line : {"HTTP/1.1 503", "HTTP/1.1 503 ", "HTTP/1.1  503 Service Unavailable"}) {
    INFO(line);
    CHECK(read(line + "\r\nContent-Length: 0\r\n\r\n").status() == 503);
  }
}

TEST_CASE("http answer: the body ends where the head says: by length, by chunks, with the connection") {
  CHECK(read("HTTP/1.1 200 OK\r\ncontent-length:3\r\n\r\nabcdef").body() == "abc");
  const auto chunked = read(
      "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n"
      "2;x=y\r\nab\r\n1\nc\n0\r\nTrailer: x\r\n\r\nmore");
  CHECK(chunked.state() == HttpAnswer::State::complete);
  CHECK(chunked.body() == "abc");
  HttpAnswer open = read("HTTP/1.0 200 OK\r\n\r\nabc");
  CHECK(open.state() == HttpAnswer::State::body);
  CHECK_FALSE(open.body_length());
  open.close();
  CHECK(open.state() == HttpAnswer::State::complete);
  CHECK(open.body() == "abc");
  CHECK(read("HTTP/1.1 204 No Content\r\n\r\n").state() == HttpAnswer::State::complete);
  CHECK(read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", HttpAnswer::Body::never_follows).state() ==
        HttpAnswer::State::complete);
}

TEST_CASE("http answer: what is no answer, or breaks off, says so") {
  CHECK(trouble_of("") == "closed the connection without an answer");
  CHECK(trouble_of("SSH-2.0-OpenSSH_9.2\r\n") == "no HTTP answer: it does not begin with HTTP/");
  CHECK(trouble_of("HTTP/2.0 200 OK\r\n\r\n") == "no HTTP answer: it speaks another version than 1");
  CHECK(trouble_of("HTTP/1.1 2000 OK\r\n\r\n") == "no HTTP answer: its first line is no status line");
  CHECK(trouble_of("HTTP/1.1 -20 OK\r\n\r\n") == "no HTTP answer: its first line is no status line");
  CHECK(trouble_of("HTTP/1.1 200 OK\r\nContent-Le") == "the answer breaks off in its head");
  CHECK(trouble_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc") == "the answer breaks off in its body");
  CHECK(trouble_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc") ==
        "the answer breaks off in its body");
  CHECK(trouble_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxy\r\n") ==
        "a chunk of the answer does not say how long it is");
  CHECK(trouble_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n") ==
        "the answer does not say how long it is: its Content-Length is no number, or two");
}

TEST_CASE("http answer: what is read of it has a limit") {
  CHECK(trouble_of("HTTP/1.1 200 OK\r\nX: " + std::string(longest_head_bytes, 'x')) ==
        "the head of the answer is longer than 64 KiB");
  std::string hints;
  for (int i = 0; i < 17; ++i) hints += "HTTP/1.1 103 Early Hints\r\n\r\n";
  CHECK(trouble_of(hints) == "more than 16 answers of 1xx, and no other");
  HttpAnswer flood;
  flood.take("HTTP/1.1 200 OK\r\n\r\n");
  while (flood.state() == HttpAnswer::State::body) flood.take(std::string(10'000, 'x'));
  CHECK(flood.state() == HttpAnswer::State::complete);
  CHECK(flood.body().size() == longest_body_bytes);
}
