// The floor: spawns COUNT children, waits, respawns whichever dies, kills all on SIGTERM. It decides
// nothing, logs nothing, probes nothing: what a supervisor costs is what it takes beyond this.
//
//   floor fork|vfork|sessions COUNT PROGRAM [ARG]...
//
// `sessions` is vfork with a session for each child, as a service has one under us and s6: the kernel may group
// processes by session (/proc/sys/kernel/sched_autogroup_enabled), and that may cost time.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static volatile sig_atomic_t ending;

static void on_term(int number) {
  (void)number;
  ending = 1;
}

static pid_t start(int use_vfork, int sessions, char **argv) {
  pid_t pid = use_vfork ? vfork() : fork();
  if (pid == 0) {
    if (sessions) setsid();
    execve(argv[0], argv, environ);
    _exit(127);
  }
  return pid;
}

int main(int argc, char **argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: floor fork|vfork|sessions COUNT PROGRAM [ARG]...\n");
    return 64;
  }
  const int sessions = strcmp(argv[1], "sessions") == 0;
  const int use_vfork = sessions || strcmp(argv[1], "vfork") == 0;
  const int count = atoi(argv[2]);
  pid_t *children = calloc((size_t)count, sizeof *children);
  if (children == NULL) return 70;

  struct sigaction action = {0};
  action.sa_handler = on_term;  // no SA_RESTART: wait() must return
  sigaction(SIGTERM, &action, NULL);

  for (int i = 0; i < count; ++i) children[i] = start(use_vfork, sessions, argv + 3);
  while (!ending) {
    const pid_t dead = wait(NULL);
    if (dead < 0 && errno == EINTR) continue;
    for (int i = 0; i < count && dead > 0 && !ending; ++i) {
      if (children[i] == dead) {
        children[i] = start(use_vfork, sessions, argv + 3);
        break;
      }
    }
  }
  for (int i = 0; i < count; ++i) kill(children[i], SIGTERM);
  while (wait(NULL) > 0 || errno == EINTR) {
  }
  return 0;
}
