// A service whose COUNT grandchildren lose their parent, and end all at once: how long until the last of them
// is reaped by the one that adopted them? "COUNT NANOSECONDS\n" (that time) into a FIFO.
//
//   orphans FIFO COUNT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

// Each waits for the other end of `gate` to be closed. Never returns.
static void make_orphans(const int gate[2], pid_t *pids, int count) {
  close(gate[1]);
  for (int i = 0; i < count; ++i) {
    const pid_t pid = fork();
    if (pid < 0) _exit(1);
    if (pid > 0) {
      pids[i] = pid;
      continue;
    }
    char byte;
    while (read(gate[0], &byte, 1) < 0 && errno == EINTR) {
    }
    _exit(0);
  }
  _exit(0);
}

int main(int argc, char **argv) {
  const int count = argc > 2 ? atoi(argv[2]) : 0;
  if (count <= 0) return 64;
  const int fifo = open(argv[1], O_WRONLY | O_NONBLOCK);
  pid_t *pids = mmap(NULL, (size_t)count * sizeof *pids, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int gate[2];
  if (fifo < 0 || pids == MAP_FAILED || pipe2(gate, O_CLOEXEC) != 0) return 1;

  const pid_t parent = fork();
  if (parent == 0) make_orphans(gate, pids, count);
  int status = 0;
  if (parent < 0 || waitpid(parent, &status, 0) != parent || status != 0) return 1;

  const long long begin = now();
  close(gate[1]);
  const struct timespec moment = {0, 100000};
  for (int i = 0; i < count; ++i) {
    while (kill(pids[i], 0) == 0) nanosleep(&moment, NULL);  // a zombie is still there
  }
  const long long end = now();
  char line[64];
  const int length = snprintf(line, sizeof line, "%d %lld\n", count, end - begin);
  if (write(fifo, line, (size_t)length) != length) return 1;
  for (;;) pause();
}
