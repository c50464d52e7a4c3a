// The one rule by which something written later is laid over what was there: a drop-in over a file, `--set`
// over both, a service over what it is like.
//
//   a scalar            replaces
//   a table             is merged, key by key
//   a list              replaces; "..." in it stands for the entries that were there
//   false over a table  takes it away
//   another kind        replaces; the reader says what is wrong with it
//
// Knows trees of values, nothing of services.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "document.hpp"

namespace arizuko::plan {

/// The entry of a list that stands for those that were there.
inline constexpr std::string_view rest_of_list = "...";

bool is_rest(const Node& node);

class Inheritance {
 public:
  Inheritance(Problems& problems, std::vector<Replaced>& replaced)
      : problems_(problems), replaced_(replaced) {}

  /// `over` is written later than `base`, which becomes both. `key` is where they stand: "service.teled".
  void lay_over(Node& base, Node&& over, const std::string& key);

 private:
  void merge(Node& table, Node&& over, const std::string& key);
  void splice(Node& list, Node&& over, const std::string& key);

  Problems& problems_;
  std::vector<Replaced>& replaced_;
};

/// What a `false` took away leaves the tree: when nothing more is laid over anything.
void take_away(Node& table);

/// A "..." that is left in a list of names has nothing to stand for: it is reported and taken out. In lists
/// of words of another program it is a word like any other.
void refuse_idle_rests(Document& document, Problems& problems);

}  // namespace arizuko::plan
