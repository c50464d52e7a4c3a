// A service that does nothing but say when it came: "PID NANOSECONDS\n" (CLOCK_MONOTONIC) into a FIFO.
//
//   beacon FIFO [say LINE]    and then LINE on its stdout, for who waits for it there
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  const int fifo = argc > 1 ? open(argv[1], O_WRONLY | O_NONBLOCK) : -1;
  if (fifo < 0) return 1;
  char line[64];
  const int length =
      snprintf(line, sizeof line, "%d %lld\n", (int)getpid(), now.tv_sec * 1000000000LL + now.tv_nsec);
  if (write(fifo, line, (size_t)length) != length) return 1;
  close(fifo);
  if (argc > 3 && dprintf(STDOUT_FILENO, "%s\n", argv[3]) < 0) return 1;
  for (;;) pause();
}
