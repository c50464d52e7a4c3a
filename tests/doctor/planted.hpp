// Manifests with a planted mistake: pods/sound.yaml and the small changes of pods/*.diff.
//
//   # a remark
//   === grace_short                                   one manifest
//   -      terminationGracePeriodSeconds: 60          what is taken out of sound.yaml,
//   +      terminationGracePeriodSeconds: 40          what comes in its place, and
//   ! error grace 40 s, and the plan may take 40 s    what must be found in the line above
//
// " " is a line that stays, "@" begins a change further down. The lines of a change that are " " or "-" stand
// in sound.yaml once below the change before. "!" above the first "@" has no line. "=== name: nothing" is in
// order, "=== name, whole" is no change of sound.yaml. Whatever breaks these rules throws.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <ranges>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace arizuko::doctor::testing {

struct Expected {
  std::string severity, check, what;
  std::uint32_t line = 0;  // of the manifest; 0: none
};

struct Planted {
  std::string name;  // "grace_short.yaml"
  std::string text;
  std::vector<Expected> expected;
};

inline const std::string pods_directory = ARIZUKO_SOURCE_DIR "/tests/doctor/pods";

namespace planted {

using Lines = std::vector<std::string>;

inline Lines lines_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error(path + ": cannot be read");
  Lines lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// Makes one manifest of the lines that stand below its "===".
class Patch {
 public:
  Patch(std::string name, const Lines& base, const Lines& lines) : base_(base) {
    made_.name = std::move(name);
    Lines change;
    for (const std::string& line : lines) {
      if (line != "@") {
        change.push_back(line);
        continue;
      }
      apply(change);
      change.clear();
    }
    apply(change);
    put(base_.begin() + at_, base_.end());
    if (text_ == base_) fail("it changes nothing");
    for (const std::string& line : text_) made_.text += line + '\n';
  }
  Planted made() && { return std::move(made_); }

 private:
  void apply(const Lines& change) {
    Lines old;
    for (const std::string& line : change) {
      if (line.empty() || !std::string_view(" -+!").contains(line[0])) fail("what is this: " + line);
      if (line[0] == ' ' || line[0] == '-') old.push_back(line.substr(1));
    }
    const std::ptrdiff_t place = old.empty() ? at_ : only_place_of(old);
    put(base_.begin() + at_, base_.begin() + place);
    for (const std::string& line : change) {
      if (line[0] == '!') expect(line.substr(1));
      if (line[0] == ' ' || line[0] == '+') text_.push_back(line.substr(1));
    }
    at_ = place + std::ssize(old);
  }
  std::ptrdiff_t only_place_of(const Lines& old) const {
    const auto from = base_.begin() + at_;
    const auto found = std::search(from, base_.end(), old.begin(), old.end());
    if (found == base_.end()) fail("not in the rest of sound.yaml: " + old.front());
    if (std::search(found + 1, base_.end(), old.begin(), old.end()) != base_.end())
      fail("more than once in the rest of sound.yaml: " + old.front());
    return found - base_.begin();
  }
  void put(Lines::const_iterator from, Lines::const_iterator to) { text_.insert(text_.end(), from, to); }
  void expect(const std::string& words) {
    std::istringstream in(words);
    Expected one;
    in >> one.severity >> one.check >> std::ws;
    std::getline(in, one.what);
    one.line = static_cast<std::uint32_t>(text_.size());
    made_.expected.push_back(std::move(one));
  }
  [[noreturn]] void fail(const std::string& why) const { throw std::runtime_error(made_.name + ": " + why); }

  const Lines& base_;
  std::ptrdiff_t at_ = 0;  // so many lines of the base are done with
  Lines text_;
  Planted made_;
};

/// One manifest a "===" of a file.
inline void read(const std::string& path, const Lines& sound, std::vector<Planted>& all) {
  const Lines lines = lines_of(path);
  const auto begins = [](const std::string& line) { return line.starts_with("=== "); };
  for (auto head = std::ranges::find_if(lines, begins); head != lines.end();) {
    const auto end = std::find_if(head + 1, lines.end(), begins);
    const bool whole = head->ends_with(", whole"), nothing = head->ends_with(": nothing");
    Lines body;
    std::copy_if(head + 1, end, std::back_inserter(body),
                 [](const std::string& line) { return !line.empty() && line[0] != '#'; });
    const std::string name = head->substr(4, head->find_first_of(",:") - 4) + ".yaml";
    Planted made = Patch(name, whole ? Lines{} : sound, body).made();
    if (made.expected.empty() != nothing)
      throw std::runtime_error(name + ": says what is found, or that it is nothing");
    if (std::ranges::find(all, name, &Planted::name) != all.end())
      throw std::runtime_error(name + ": there are two");
    all.push_back(std::move(made));
    head = end;
  }
}

}  // namespace planted

/// All of them, sound.yaml first.
inline std::vector<Planted> all_planted() {
  const planted::Lines sound = planted::lines_of(pods_directory + "/sound.yaml");
  std::vector<std::string> files;
  for (const auto& each : std::filesystem::directory_iterator(pods_directory))
    if (each.path().extension() == ".diff") files.push_back(each.path());
  std::ranges::sort(files);
  std::string text;
  for (const std::string& line : sound) text += line + '\n';
  std::vector<Planted> all = {{"sound.yaml", text, {}}};
  for (const std::string& file : files) planted::read(file, sound, all);
  return all;
}

/// The text of one: planted_text("grace_short.yaml"). Throws where there is none.
inline std::string planted_text(std::string_view name) {
  for (const Planted& each : all_planted())
    if (each.name == name) return each.text;
  throw std::runtime_error(fmt::format("{}: there is no such manifest", name));
}

}  // namespace arizuko::doctor::testing
