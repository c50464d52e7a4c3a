// The tables of each database that a rehearsal makes: small, and the rehearsal's own.
#pragma once

#include <span>

namespace rehearsal {

enum class Schema {
  Messages,  // the gated line's one database
  Auth,      // today each of the four has an owner, who alone migrates it
  Routd,
  Runed,
  Onbod,
};

struct Migration {
  int version;
  const char* sql;
};

std::span<const Migration> migrations_of(Schema schema);

}  // namespace rehearsal
