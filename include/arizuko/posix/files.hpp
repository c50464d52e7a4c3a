// The only ways in which a file's content is read and written.
//
// What lies in a directory that others can write to may be anything by the time it is opened: a FIFO without
// a writer, a socket, a device, a link out of the directory, a file of 100 GB, a file under a lease
// (fcntl(2), F_SETLEASE). Nothing here waits for any of it: a file is regular, opened with O_NONBLOCK, and
// read up to a limit that the error names. A file system whose server is away can still hold a call; nothing
// can be done about that from within the process.
//
// A trouble's text has no path: the caller knows it as the operator wrote it.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "arizuko/posix/descriptor.hpp"

namespace arizuko::posix {

struct FileTrouble {
  int error = 0;     // errno; EFBIG: longer than the limit; EISDIR, ELOOP, EINVAL: not a regular file
  std::string what;  // "Permission denied", "is a FIFO, not a regular file", "is larger than 64 KiB"
};

/// What a link in a path means.
enum class Links {
  followed,  // the path is the operator's, and so are its directories
  trusted,   // anywhere in it: root follows what root made, nobody else's; any other user could not gain by
             // one
  refused,   // at its end: the directory is ours, and we make no links
};

/// "a FIFO", "a directory"
std::string_view kind_text(mode_t mode);

/// A regular file, open for reading. Paths are relative to `directory` (AT_FDCWD: none), as in openat(2).
std::expected<Descriptor, FileTrouble> open_to_read(int directory, const std::string& path, Links links);

/// All of an open file; EFBIG when that is more than `limit` bytes.
std::expected<std::string, FileTrouble> read_all(const Descriptor& file, std::size_t limit);

/// Both.
std::expected<std::string, FileTrouble> read_file(int directory, const std::string& path, std::size_t limit,
                                                  Links links);
std::expected<std::string, FileTrouble> read_file(const std::string& path, std::size_t limit,
                                                  Links links = Links::followed);

/// At most the first `limit` bytes of a file in which the kernel tells of itself: /proc, /sys, control
/// groups. They have no size, some have no end, and what they tell of may be gone meanwhile: an error ends
/// the text.
std::expected<std::string, FileTrouble> read_kernel_file(int directory, const std::string& path,
                                                         std::size_t limit);

enum class Missing { is_an_error, is_made };  // 0600
/// A regular file, open for reading and writing, as long as it was. Refused when it is a link, and when it
/// has a second name (a hard link): what is written to it would be written there.
std::expected<Descriptor, FileTrouble> open_to_write(int directory, const std::string& path, Missing missing);

/// The whole text, from the beginning of the file, and nothing behind it. The old text is gone when that
/// fails: for what must not be lost, replace_file().
std::expected<void, FileTrouble> overwrite(const Descriptor& file, std::string_view text);

/// Puts a file of mode 0600 with this text in the place of `name`, or changes nothing: written to
/// `name`.new, synchronized, renamed.
std::expected<void, FileTrouble> replace_file(int directory, const std::string& name, std::string_view text);

/// The last part of a path, and the directory that it is in: for unlinkat(2) and its like.
struct Place {
  Descriptor directory;  // O_PATH
  std::string name;
};
/// On the way to it links are trusted; a link at its end is what is found.
std::expected<Place, FileTrouble> find_place(const std::string& path);

/// For reading, and as the directory of other calls.
std::expected<Descriptor, FileTrouble> open_directory(int parent, const std::string& path, Links links);

}  // namespace arizuko::posix
