/* Loaded before a program: kills it, as kill -9 does, at one step of what it writes to its store.
 *
 * Steps are counted from the first write to a file KILL_FILE* that holds the text KILL_FROM; the program
 * dies before the step KILL_AT, or in the middle of its write where KILL_TORN is set. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int is_of_store(int file) {
    char link[64], path[PATH_MAX];
    const char *name = getenv("KILL_FILE");
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (name == NULL || length < 0) return 0;
    path[length] = 0;
    return strstr(path, name) != NULL;
}

/* Whether the program dies at this step. */
static int is_last(int file, const void *bytes, size_t count) {
    static int step = -1;
    const char *from = getenv("KILL_FROM"), *at = getenv("KILL_AT");
    if (from == NULL || at == NULL || !is_of_store(file)) return 0;
    if (step < 0 && (bytes == NULL || memmem(bytes, count, from, strlen(from)) == NULL)) return 0;
    step += 1;
    return step == atoi(at);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t offset) {
    if (is_last(file, bytes, count)) {
        if (getenv("KILL_TORN")) REAL(pwrite64)(file, bytes, count / 2, offset);
        raise(SIGKILL);
    }
    return REAL(pwrite64)(file, bytes, count, offset);
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) {
    return pwrite64(file, bytes, count, offset);
}

ssize_t write(int file, const void *bytes, size_t count) {
    if (is_last(file, bytes, count)) {
        if (getenv("KILL_TORN")) REAL(write)(file, bytes, count / 2);
        raise(SIGKILL);
    }
    return REAL(write)(file, bytes, count);
}

int fsync(int file) {
    if (is_last(file, NULL, 0)) raise(SIGKILL);
    return REAL(fsync)(file);
}

int fdatasync(int file) {
    if (is_last(file, NULL, 0)) raise(SIGKILL);
    return REAL(fdatasync)(file);
}

int ftruncate64(int file, off64_t length) {
    if (is_last(file, NULL, 0)) raise(SIGKILL);
    return REAL(ftruncate64)(file, length);
}
