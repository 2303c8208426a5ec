/* Preload for redis-server: remembers how long each file was when it was last fsynced, so that a test can cut files back to that
 * length after a kill, as a power cut would have done.
 *
 *   FSYNC_WATCH_FOLDER  where the lengths go: a file named by the inode, holding the length as 20 decimal digits
 *
 * A length is written once the fsync has succeeded, as it was before the fsync began, with one pwrite: a kill leaves the old length or the
 * new. No locks and no allocation, since Redis forks while a thread of its own may be in here.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

typedef int (*sync_function)(int);

static char folder[3072];
static sync_function real_fdatasync;
static sync_function real_fsync;

__attribute__((constructor)) static void start(void) {
  /* Copied: Redis writes its process title over its environment. */
  const char *given = getenv("FSYNC_WATCH_FOLDER");
  if (given && strlen(given) < sizeof(folder)) strcpy(folder, given);
  *(void **)&real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  *(void **)&real_fsync = dlsym(RTLD_NEXT, "fsync");
}

/* The side file of an inode, kept open by each thread for as long as it syncs the same file. */
static int side_file(const struct stat *file) {
  static __thread dev_t device;
  static __thread ino_t inode;
  static __thread int side = -1;
  if (side >= 0 && device == file->st_dev && inode == file->st_ino) return side;
  if (side >= 0) close(side);
  char path[4096];
  snprintf(path, sizeof(path), "%s/%llu", folder, (unsigned long long)file->st_ino);
  side = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  device = file->st_dev;
  inode = file->st_ino;
  return side;
}

static int watched(int fd, sync_function sync_call) {
  struct stat before;
  int known = folder[0] && fstat(fd, &before) == 0 && S_ISREG(before.st_mode);
  int result = sync_call(fd);
  if (result != 0 || !known) return result;
  int side = side_file(&before);
  char text[21];
  snprintf(text, sizeof(text), "%020lld", (long long)before.st_size);
  if (side < 0 || pwrite(side, text, 20, 0) != 20) abort();
  return 0;
}

int fdatasync(int fd) { return watched(fd, real_fdatasync); }
int fsync(int fd) { return watched(fd, real_fsync); }
