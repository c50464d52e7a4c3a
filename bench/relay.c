// The floor of a log path: a child's stderr through a pipe to our stdout, unread. Ends with the child.
//
//   relay PROGRAM [ARG]...
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
  static char buffer[64 * 1024];
  int ends[2];
  if (argc < 2 || pipe2(ends, O_CLOEXEC) != 0) return 64;
  if (vfork() == 0) {
    dup2(ends[1], STDERR_FILENO);
    execv(argv[1], argv + 1);
    _exit(127);
  }
  close(ends[1]);
  for (ssize_t count; (count = read(ends[0], buffer, sizeof buffer)) > 0;) {
    for (ssize_t done = 0; done < count;) {
      const ssize_t part = write(STDOUT_FILENO, buffer + done, (size_t)(count - done));
      if (part <= 0) return 1;
      done += part;
    }
  }
  wait(NULL);
  return 0;
}
