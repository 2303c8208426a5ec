/* Preload that makes a program's disk full or slow, and its clock wrong, while it runs.
 *
 *   FAULT_SHIM_CONTROL  a file of three native 64-bit integers, read through a shared mapping at each call:
 *                       1. not 0: the disk is full. What would make a file under the folder longer fails with ENOSPC;
 *                       2. microseconds that each fsync takes more;
 *                       3. microseconds that the calendar clock is ahead of the machine's (negative: behind).
 *   FAULT_SHIM_FOLDER   the disk that fills up
 *
 * The monotonic clock is as it is. A wait until a moment of the calendar keeps the length that it had when it began. No locks and no
 * allocation, since Redis forks while a thread of its own may be in here.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct control {
  volatile int64_t disk_full;
  volatile int64_t fsync_delay_us;
  volatile int64_t clock_shift_us;
};

static struct control idle;
static const struct control *control = &idle;
static char folder[3072];
static size_t folder_size;

/* Looked up at first use: other libraries' constructors may run before ours. */
#define REAL(name) \
  static __typeof__(&name) real; \
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void start(void) {
  /* Copied: Redis writes its process title over its environment. */
  const char *given = getenv("FAULT_SHIM_FOLDER");
  if (given && strlen(given) < sizeof(folder)) folder_size = strlen(strcpy(folder, given));
  const char *path = getenv("FAULT_SHIM_CONTROL");
  if (!path) return;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  void *page = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(struct control), PROT_READ, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) {
    dprintf(2, "fault_shim: %s: %s\n", path, strerror(errno));
    abort();
  }
  close(fd);
  control = page;
}

/* --- Disk. */

static int refused(int fd, off_t end) {
  struct stat status;
  if (!control->disk_full || folder_size == 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return 0;
  if (end >= 0 && end <= status.st_size) return 0;
  char link[64];
  char path[4096];
  snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  ssize_t size = readlink(link, path, sizeof(path));
  if (size < (ssize_t)folder_size || memcmp(path, folder, folder_size) != 0) return 0;
  errno = ENOSPC;
  return 1;
}

static int refused_append(int fd, size_t size) {
  if (!control->disk_full) return 0;
  int flags = fcntl(fd, F_GETFL);
  off_t at = flags >= 0 && (flags & O_APPEND) ? -1 : lseek(fd, 0, SEEK_CUR);
  return refused(fd, at < 0 ? -1 : at + (off_t)size);
}

ssize_t write(int fd, const void *data, size_t size) {
  REAL(write);
  return refused_append(fd, size) ? -1 : real(fd, data, size);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(writev);
  size_t size = 0;
  for (int i = 0; i < count; ++i) size += parts[i].iov_len;
  return refused_append(fd, size) ? -1 : real(fd, parts, count);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
  REAL(pwrite);
  return refused(fd, at + (off_t)size) ? -1 : real(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
  REAL(pwrite64);
  return refused(fd, at + (off_t)size) ? -1 : real(fd, data, size, at);
}

int fallocate(int fd, int mode, off_t at, off_t size) {
  REAL(fallocate);
  return refused(fd, at + size) ? -1 : real(fd, mode, at, size);
}

int fallocate64(int fd, int mode, off64_t at, off64_t size) {
  REAL(fallocate64);
  return refused(fd, at + size) ? -1 : real(fd, mode, at, size);
}

int posix_fallocate(int fd, off_t at, off_t size) {
  REAL(posix_fallocate);
  return refused(fd, at + size) ? ENOSPC : real(fd, at, size);
}

int posix_fallocate64(int fd, off64_t at, off64_t size) {
  REAL(posix_fallocate64);
  return refused(fd, at + size) ? ENOSPC : real(fd, at, size);
}

static void wait_for_disk(void) {
  int64_t delay = control->fsync_delay_us;
  if (delay <= 0) return;
  struct timespec pause = {delay / 1000000, delay % 1000000 * 1000};
  nanosleep(&pause, NULL);
}

int fsync(int fd) {
  REAL(fsync);
  wait_for_disk();
  return real(fd);
}

int fdatasync(int fd) {
  REAL(fdatasync);
  wait_for_disk();
  return real(fd);
}

/* --- Clock. */

static struct timespec shifted(struct timespec at, int64_t by_us) {
  int64_t nanos = at.tv_nsec + by_us % 1000000 * 1000;
  at.tv_sec += by_us / 1000000 + (nanos < 0 ? -1 : nanos / 1000000000);
  at.tv_nsec = nanos < 0 ? nanos + 1000000000 : nanos % 1000000000;
  return at;
}

static int is_calendar(clockid_t clock) { return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE; }

int clock_gettime(clockid_t clock, struct timespec *now) {
  REAL(clock_gettime);
  int result = real(clock, now);
  if (result == 0 && is_calendar(clock)) *now = shifted(*now, control->clock_shift_us);
  return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  (void)zone;
  struct timespec exact;
  clock_gettime(CLOCK_REALTIME, &exact);
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}

/* Deadlines of waits are moments of the shifted clock: the kernel must be told moments of its own. Condition variables of the monotonic
 * clock come here too (pthread_cond_timedwait does not say which): they are known by a deadline that is far from the calendar. */
static struct timespec unshifted(const struct timespec *at) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  const time_t years = 10L * 365 * 86400;
  return at->tv_sec > now.tv_sec + years ? shifted(*at, -control->clock_shift_us) : *at;
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict at) {
  static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
  /* There is an older one of the same name, with a condition variable of another layout. */
  if (!real) *(void **)&real = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
  struct timespec deadline = unshifted(at);
  return real(condition, mutex, &deadline);
}

int pthread_cond_clockwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex, clockid_t clock,
                           const struct timespec *restrict at) {
  REAL(pthread_cond_clockwait);
  struct timespec deadline = is_calendar(clock) ? unshifted(at) : *at;
  return real(condition, mutex, clock, &deadline);
}

/* Abseil waits with FUTEX_CLOCK_REALTIME. */
long syscall(long number, ...) {
  REAL(syscall);
  va_list list;
  va_start(list, number);
  long arguments[6];
  for (int i = 0; i < 6; ++i) arguments[i] = va_arg(list, long);
  va_end(list);
  struct timespec deadline;
  if (number == SYS_futex && (arguments[1] & FUTEX_CLOCK_REALTIME) && arguments[3]) {
    deadline = unshifted((const struct timespec *)arguments[3]);
    arguments[3] = (long)&deadline;
  }
  return real(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}
