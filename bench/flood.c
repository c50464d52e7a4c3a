// Writes COUNT lines of 100 bytes to stderr, WRITE_BYTES at a time (100: one write a line), and exits.
//
//   flood COUNT WRITE_BYTES
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { line_bytes = 100 };

int main(int argc, char **argv) {
  if (argc != 3) return 64;
  long long left = atoll(argv[1]) * line_bytes;
  const size_t chunk = (size_t)atoll(argv[2]) / line_bytes * line_bytes;
  char *buffer = malloc(chunk);
  if (buffer == NULL || chunk == 0) return 64;
  for (size_t i = 0; i < chunk; i += line_bytes) {
    memset(buffer + i, 'a' + (int)(i / line_bytes % 26), line_bytes - 1);
    buffer[i + line_bytes - 1] = '\n';
  }
  while (left > 0) {
    const size_t now = (long long)chunk < left ? chunk : (size_t)left;
    const ssize_t done = write(STDERR_FILENO, buffer, now);
    if (done <= 0) return 1;
    left -= done;
  }
  return 0;
}
