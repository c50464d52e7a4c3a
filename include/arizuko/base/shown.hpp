// Text of strangers made fit for a terminal: their control characters are shown, not obeyed.
//
// Strangers are daemons (log lines, process names), files (names, keys, values of a plan or a manifest) and
// whoever answers on a socket. Nothing of theirs is printed but through here: ESC drives the title, the
// clipboard and the keyboard of some terminals, CR and LF forge lines, U+009B is ESC [ in one character
// (ECMA-48).
#pragma once

#include <string>
#include <string_view>

namespace arizuko::base {

/// Appends `text` with control characters (but TAB), C1 controls and bytes that are not UTF-8 as `\xNN`,
/// newlines as `\n`: always one line.
void append_shown(std::string& out, std::string_view text);
std::string shown(std::string_view text);

enum class Paint { none, colours };

/// What a command prints, in whole lines: newlines and TABs stay, and with Paint::colours the sequences that
/// select a colour or end it (`ESC [ digits m`, as this program writes them). Every other control character
/// becomes `\u00NN`, which is text to people and the same character to a reader of JSON.
std::string terminal_text(std::string_view text, Paint paint);

}  // namespace arizuko::base
