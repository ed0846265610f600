// Loaded into dayfly alone (it takes itself out of the environment of what dayfly starts). It counts
// the points at which dayfly changes its data directory for good, before and after each, and ends
// the process at one of them, has the disk full from one of them on, or moves the clock there.
//
//   FAULT_DIRECTORY  the data directory
//   FAULT_AT         the number of the point, from 1; none: only count
//   FAULT_KIND       kill, full, or clock
//   FAULT_SECONDS    by how much the clock is moved
//   FAULT_LOG        where each point is written as a line
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static char directory[4096];
static size_t directory_length;
static long fault_at, points;
static char kind[16];
static long seconds;
static int log_file = -1;
static int is_full, is_moved, wal_is_dirty;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
  const char *text = getenv("FAULT_DIRECTORY");
  if (text) snprintf(directory, sizeof directory, "%s/", text);
  directory_length = strlen(directory);
  if ((text = getenv("FAULT_AT"))) fault_at = atol(text);
  if ((text = getenv("FAULT_KIND"))) snprintf(kind, sizeof kind, "%s", text);
  if ((text = getenv("FAULT_SECONDS"))) seconds = atol(text);
  if ((text = getenv("FAULT_LOG"))) log_file = open(text, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  const char *own[] = {"LD_PRELOAD", "FAULT_DIRECTORY", "FAULT_AT", "FAULT_KIND", "FAULT_SECONDS", "FAULT_LOG"};
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) unsetenv(own[i]);
}

// What lies in the data directory: its path from there, else NULL.
static const char *inside(const char *path) {
  if (!directory_length || strncmp(path, directory, directory_length) != 0) return NULL;
  return path + directory_length;
}

// What is made for one run only is no record.
static int is_record(const char *path) {
  size_t length = strlen(path);
  if (strncmp(path, "workspaces", 10) == 0 || strncmp(path, "plugins", 7) == 0) return 0;
  if (length > 4 && strcmp(path + length - 4, ".log") == 0) return 0;
  if (length > 5 && strcmp(path + length - 5, ".said") == 0) return 0;
  return length <= 4 || strcmp(path + length - 4, "-shm") != 0;
}

static const char *file_of(int file, char *buffer, size_t size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, buffer, size - 1);
  if (length < 0) return NULL;
  buffer[length] = 0;
  return inside(buffer);
}

// One point. Gives whether the disk is full from here on.
static int point(const char *when, const char *what, const char *path) {
  if (!is_record(path)) return is_full;
  pthread_mutex_lock(&mutex);
  points++;
  if (log_file >= 0) dprintf(log_file, "%s %s %s\n", when, what, path);
  if (points == fault_at) {
    if (strcmp(kind, "kill") == 0) raise(SIGKILL);
    if (strcmp(kind, "full") == 0) is_full = 1;
    if (strcmp(kind, "clock") == 0) is_moved = 1;
  }
  int full = is_full;
  pthread_mutex_unlock(&mutex);
  return full;
}

#define DURABLY(what, path, call)                                   \
  do {                                                              \
    int saved;                                                      \
    point("before", what, path);                                    \
    __typeof__(call) result = (call);                               \
    saved = errno;                                                  \
    point("after", what, path);                                     \
    errno = saved;                                                  \
    return result;                                                  \
  } while (0)

static int sync_file(int file, int (*real)(int)) {
  char buffer[4096];
  const char *path = file_of(file, buffer, sizeof buffer);
  if (!path) return real(file);
  int result = real(file), saved = errno;
  if (strcmp(path, "dayfly.db-wal") == 0) wal_is_dirty = 0;
  point("after", "sync", path);
  errno = saved;
  return result;
}
int fsync(int file) { return sync_file(file, REAL(fsync)); }
int fdatasync(int file) { return sync_file(file, REAL(fdatasync)); }

// A transaction is a point at its first word in the log of SQLite's; its sync is the one after it.
static int begins_writing(int file) {
  char buffer[4096];
  const char *path = file_of(file, buffer, sizeof buffer);
  if (!path) return 0;
  int is_wal = strcmp(path, "dayfly.db-wal") == 0;
  int full = is_full && strcmp(path, "dayfly.db-shm") != 0;
  if (is_wal ? !wal_is_dirty : strcmp(path, "dayfly.db") != 0) full = point("before", "write", path);
  if (is_wal) wal_is_dirty = 1;
  if (full) errno = ENOSPC;
  return full;
}
ssize_t write(int file, const void *bytes, size_t size) {
  static ssize_t (*real)(int, const void *, size_t);
  if (!real) real = REAL(write);
  return begins_writing(file) ? -1 : real(file, bytes, size);
}
ssize_t writev(int file, const struct iovec *parts, int count) {
  return begins_writing(file) ? -1 : REAL(writev)(file, parts, count);
}
ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t at) {
  return begins_writing(file) ? -1 : REAL(pwrite64)(file, bytes, size, at);
}
ssize_t pwrite(int file, const void *bytes, size_t size, off_t at) {
  return begins_writing(file) ? -1 : REAL(pwrite)(file, bytes, size, at);
}

int rename(const char *from, const char *to) {
  const char *path = inside(to);
  if (!path) return REAL(rename)(from, to);
  DURABLY("rename", path, REAL(rename)(from, to));
}
int unlink(const char *name) {
  const char *path = inside(name);
  if (!path || faccessat(AT_FDCWD, name, F_OK, AT_SYMLINK_NOFOLLOW) != 0) return REAL(unlink)(name);
  DURABLY("unlink", path, REAL(unlink)(name));
}
int unlinkat(int at, const char *name, int flags) {
  char buffer[4096];
  const char *path = file_of(at, buffer, sizeof buffer);
  if (at == AT_FDCWD) path = inside(name);
  if (!path) return REAL(unlinkat)(at, name, flags);
  DURABLY("unlink", path, REAL(unlinkat)(at, name, flags));
}
/* Whether it is a directory of objects whose ids begin alike: which ones a run makes is chance. */
static int is_of_objects(const char *path) {
  size_t length = strlen(path);
  return length >= 11 && strncmp(path + length - 11, "/objects/", 9) == 0;
}
int mkdir(const char *name, mode_t mode) {
  const char *path = inside(name);
  if (!path || is_of_objects(path)) return REAL(mkdir)(name, mode);
  if (faccessat(AT_FDCWD, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) return REAL(mkdir)(name, mode);
  if (is_full) { errno = ENOSPC; return -1; }
  DURABLY("mkdir", path, REAL(mkdir)(name, mode));
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  long result = syscall(SYS_clock_gettime, clock, time);
  if (result == 0 && is_moved && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) time->tv_sec += seconds;
  return result;
}
