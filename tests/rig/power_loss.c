/*
 * A disk whose power can fail: what a program writes into one folder reaches the platter when it is synced, and not before.
 * Loaded with LD_PRELOAD.
 *
 * POWER_LOSS_FOLDER     the folder; without folders of its own
 * POWER_LOSS_PLATTER    the platter, a folder on the same file system, made anew at each start: what is in the folder then
 *                       counts as synced
 * POWER_LOSS_MICROS     how long a sync takes, and each further page of it
 *
 * The folder is what the program sees: the page cache. On the platter, data/INODE has a file's content and names/NAME is a
 * hard link to it. fsync and fdatasync of a file copy what was written since the last one, sector by sector, so that a kill
 * in their midst leaves a torn write; a truncation takes effect with them, too. fsync of the folder brings the names up to
 * date: what was created, renamed or removed since is as before until then. A file system may do any of this sooner
 * (fsync of a new file on ext4 makes its name last, for one), but none promises it: fsync(2).
 *
 * Only what SQLite and Rust's standard library call is caught here.
 */
#define _GNU_SOURCE

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { SECTOR = 512, PAGE = 4096, FILES = 256, RANGES = 4096, DESCRIPTORS = 4096, PATH = 512 };

/* A file of the folder, for as long as its inode is there. */
struct file {
    ino_t inode;
    int platter; /* a descriptor of data/INODE, or -1 */
    off_t least; /* the smallest size since the last sync */
    int ranges;
    struct {
        off_t from, to;
    } range[RANGES];
};

static char folder[PATH], platter[PATH];
static ino_t folder_inode;
static dev_t device;
static struct timespec latency;
static struct file *files[FILES];
static struct file *by_descriptor[DESCRIPTORS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The next function of this name, as POSIX wants dlsym's pointer made one. */
#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (real == NULL) \
        *(void **)&real = dlsym(RTLD_NEXT, #name)

static void give_up(const char *what)
{
    fprintf(stderr, "power_loss: %s: %s\n", what, strerror(errno));
    abort();
}

static int real_open(const char *path, int flags, mode_t mode)
{
    REAL(int, open64, const char *, int, ...);
    return real(path, flags, mode);
}

static int real_close(int descriptor)
{
    REAL(int, close, int);
    return real(descriptor);
}

static ssize_t real_pwrite(int descriptor, const void *bytes, size_t length, off_t offset)
{
    REAL(ssize_t, pwrite64, int, const void *, size_t, off_t);
    return real(descriptor, bytes, length, offset);
}

static int real_ftruncate(int descriptor, off_t size)
{
    REAL(int, ftruncate64, int, off_t);
    return real(descriptor, size);
}

static void data_path(char *path, ino_t inode)
{
    snprintf(path, 2 * PATH, "%s/data/%ju", platter, (uintmax_t)inode);
}

static void forget(struct file *file)
{
    char path[2 * PATH];
    if (file->platter >= 0)
        real_close(file->platter);
    file->platter = -1;
    file->ranges = 0;
    file->least = 0;
    data_path(path, file->inode);
    unlink(path);
}

/* The file of this inode; a new one has nothing on the platter, whatever file had the inode before. */
static struct file *file_of(ino_t inode, int is_new)
{
    int free = -1;
    for (int i = 0; i < FILES; i++) {
        if (files[i] == NULL)
            free = free < 0 ? i : free;
        else if (files[i]->inode == inode) {
            if (is_new)
                forget(files[i]);
            return files[i];
        }
    }
    if (free < 0 || (files[free] = calloc(1, sizeof(struct file))) == NULL)
        give_up("too many files");
    files[free]->inode = inode;
    files[free]->platter = -1;
    if (is_new)
        forget(files[free]);
    else {
        struct stat status;
        char path[2 * PATH];
        data_path(path, inode);
        files[free]->least = stat(path, &status) == 0 ? status.st_size : 0;
    }
    return files[free];
}

static int on_platter(struct file *file)
{
    char path[2 * PATH];
    if (file->platter < 0) {
        data_path(path, file->inode);
        file->platter = real_open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (file->platter < 0)
            give_up(path);
    }
    return file->platter;
}

static void written(struct file *file, off_t from, size_t length)
{
    off_t to = from + (off_t)length;
    if (length == 0)
        return;
    for (int i = file->ranges - 1; i >= 0 && i >= file->ranges - 8; i--) {
        if (from <= file->range[i].to && to >= file->range[i].from) {
            file->range[i].from = from < file->range[i].from ? from : file->range[i].from;
            file->range[i].to = to > file->range[i].to ? to : file->range[i].to;
            return;
        }
    }
    if (file->ranges == RANGES) {
        errno = ENOBUFS;
        give_up("too many writes between two syncs");
    }
    file->range[file->ranges].from = from;
    file->range[file->ranges++].to = to;
}

static void take_time(void)
{
    if (latency.tv_sec != 0 || latency.tv_nsec != 0)
        nanosleep(&latency, NULL);
}

/* Copies a range from the folder's file, sector by sector. */
static void copy(int from_file, int to_file, off_t from, off_t to)
{
    char sector[SECTOR];
    off_t page = from / PAGE;
    while (from < to) {
        off_t end = (from / SECTOR + 1) * SECTOR;
        size_t length = (size_t)((end < to ? end : to) - from);
        ssize_t got = pread(from_file, sector, length, from);
        if (got <= 0) /* it was truncated meanwhile */
            return;
        if (real_pwrite(to_file, sector, (size_t)got, from) != got)
            give_up("the platter");
        from += got;
        if (from / PAGE != page) {
            page = from / PAGE;
            take_time();
        }
    }
}

static void sync_file(int descriptor, struct file *file)
{
    struct stat status, known;
    int to = on_platter(file);
    take_time();
    if (fstat(descriptor, &status) != 0 || fstat(to, &known) != 0)
        give_up("fstat");
    if (file->least < known.st_size && real_ftruncate(to, file->least) != 0)
        give_up("the platter");
    for (int i = 0; i < file->ranges; i++)
        copy(descriptor, to, file->range[i].from, file->range[i].to);
    if (real_ftruncate(to, status.st_size) != 0 || fchmod(to, status.st_mode & 07777) != 0)
        give_up("the platter");
    file->ranges = 0;
    file->least = status.st_size;
}

/* Makes names/NAME the file of this inode. */
static void name(const char *name, ino_t inode)
{
    char data[2 * PATH], draft[2 * PATH], path[2 * PATH];
    struct stat ours, theirs;
    data_path(data, inode);
    snprintf(path, sizeof path, "%s/names/%.200s", platter, name);
    snprintf(draft, sizeof draft, "%s/draft", platter);
    on_platter(file_of(inode, 0));
    if (stat(data, &ours) != 0)
        give_up(data);
    if (stat(path, &theirs) == 0 && theirs.st_ino == ours.st_ino)
        return;
    unlink(draft);
    if (link(data, draft) != 0 || rename(draft, path) != 0)
        give_up(path);
}

static void sync_folder(void)
{
    char path[2 * PATH];
    struct dirent *entry;
    struct stat status;
    DIR *listing = opendir(folder);
    if (listing == NULL)
        give_up(folder);
    while ((entry = readdir(listing)) != NULL) {
        snprintf(path, sizeof path, "%s/%.200s", folder, entry->d_name);
        if (stat(path, &status) == 0 && S_ISREG(status.st_mode))
            name(entry->d_name, status.st_ino);
    }
    closedir(listing);
    snprintf(path, sizeof path, "%s/names", platter);
    if ((listing = opendir(path)) == NULL)
        give_up(path);
    while ((entry = readdir(listing)) != NULL) {
        snprintf(path, sizeof path, "%s/%.200s", folder, entry->d_name);
        if (entry->d_name[0] != '.' && stat(path, &status) != 0) {
            snprintf(path, sizeof path, "%s/names/%.200s", platter, entry->d_name);
            unlink(path);
        }
    }
    closedir(listing);
}

/* What is there at the start is on the platter. */
__attribute__((constructor)) static void start(void)
{
    const char *from = getenv("POWER_LOSS_FOLDER"), *to = getenv("POWER_LOSS_PLATTER"), *micros = getenv("POWER_LOSS_MICROS");
    struct dirent *entry;
    struct stat status;
    char path[2 * PATH];
    DIR *listing;

    if (from == NULL || to == NULL || strlen(from) >= PATH || strlen(to) >= PATH)
        return;
    latency.tv_sec = micros == NULL ? 0 : atol(micros) / 1000000;
    latency.tv_nsec = micros == NULL ? 0 : atol(micros) % 1000000 * 1000;
    strcpy(platter, to);
    if (stat(from, &status) != 0 || (listing = opendir(from)) == NULL)
        give_up(from);
    folder_inode = status.st_ino;
    device = status.st_dev;
    strcpy(folder, from);
    while ((entry = readdir(listing)) != NULL) {
        snprintf(path, sizeof path, "%s/%.200s", folder, entry->d_name);
        if (stat(path, &status) != 0 || !S_ISREG(status.st_mode))
            continue;
        int descriptor = real_open(path, O_RDONLY | O_CLOEXEC, 0);
        struct file *file = file_of(status.st_ino, 1);
        written(file, 0, (size_t)status.st_size);
        sync_file(descriptor, file);
        real_close(descriptor);
    }
    closedir(listing);
    sync_folder();
}

/* A file of the folder that was opened. */
static int opened(int descriptor, int existed, int flags)
{
    struct stat status;
    if (descriptor < 0 || folder[0] == 0)
        return descriptor;
    if (descriptor >= DESCRIPTORS)
        give_up("too many descriptors");
    pthread_mutex_lock(&lock);
    by_descriptor[descriptor] = NULL;
    if (fstat(descriptor, &status) == 0 && status.st_dev == device && S_ISREG(status.st_mode)) {
        struct file *file = file_of(status.st_ino, !existed);
        if (flags & O_TRUNC)
            file->least = 0;
        by_descriptor[descriptor] = file;
    }
    pthread_mutex_unlock(&lock);
    return descriptor;
}

static int is_inside(const char *path)
{
    size_t length = strlen(folder);
    return length > 0 && strncmp(path, folder, length) == 0 && path[length] == '/';
}

static int open_any(const char *path, int flags, mode_t mode)
{
    struct stat status;
    int existed;
    if (!is_inside(path))
        return real_open(path, flags, mode);
    existed = stat(path, &status) == 0;
    /* What was written must be read when it is synced. */
    if ((flags & O_ACCMODE) == O_WRONLY)
        flags = (flags & ~O_ACCMODE) | O_RDWR;
    return opened(real_open(path, flags, mode), existed, flags);
}

#define MODE(flags, mode) \
    do { \
        va_list more; \
        va_start(more, flags); \
        mode = (flags) & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0; \
        va_end(more); \
    } while (0)

int open(const char *path, int flags, ...)
{
    mode_t mode;
    MODE(flags, mode);
    return open_any(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    mode_t mode;
    MODE(flags, mode);
    return open_any(path, flags, mode);
}

static struct file *file_at(int descriptor)
{
    return descriptor >= 0 && descriptor < DESCRIPTORS ? by_descriptor[descriptor] : NULL;
}

int close(int descriptor)
{
    pthread_mutex_lock(&lock);
    if (file_at(descriptor) != NULL)
        by_descriptor[descriptor] = NULL;
    pthread_mutex_unlock(&lock);
    return real_close(descriptor);
}

static ssize_t done(int descriptor, off_t from, ssize_t length)
{
    pthread_mutex_lock(&lock);
    struct file *file = file_at(descriptor);
    if (file != NULL && length > 0)
        written(file, from, (size_t)length);
    pthread_mutex_unlock(&lock);
    return length;
}

/* Where a write without a position goes. */
static off_t position(int descriptor)
{
    struct stat status;
    if (file_at(descriptor) == NULL)
        return 0;
    if (fcntl(descriptor, F_GETFL) & O_APPEND)
        return fstat(descriptor, &status) == 0 ? status.st_size : 0;
    return lseek(descriptor, 0, SEEK_CUR);
}

ssize_t write(int descriptor, const void *bytes, size_t length)
{
    REAL(ssize_t, write, int, const void *, size_t);
    off_t from = position(descriptor);
    return done(descriptor, from, real(descriptor, bytes, length));
}

ssize_t writev(int descriptor, const struct iovec *pieces, int count)
{
    REAL(ssize_t, writev, int, const struct iovec *, int);
    off_t from = position(descriptor);
    return done(descriptor, from, real(descriptor, pieces, count));
}

ssize_t pwrite(int descriptor, const void *bytes, size_t length, off_t offset)
{
    return done(descriptor, offset, real_pwrite(descriptor, bytes, length, offset));
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t length, off_t offset)
{
    return done(descriptor, offset, real_pwrite(descriptor, bytes, length, offset));
}

static int truncate_any(int descriptor, off_t size)
{
    int outcome = real_ftruncate(descriptor, size);
    pthread_mutex_lock(&lock);
    struct file *file = file_at(descriptor);
    if (file != NULL && outcome == 0 && size < file->least)
        file->least = size;
    pthread_mutex_unlock(&lock);
    return outcome;
}

int ftruncate(int descriptor, off_t size)
{
    return truncate_any(descriptor, size);
}

int ftruncate64(int descriptor, off_t size)
{
    return truncate_any(descriptor, size);
}

/* The real disk is left alone: only the program is going to be killed. */
static int sync_any(int descriptor)
{
    struct stat status;
    if (folder[0] == 0)
        return 0;
    pthread_mutex_lock(&lock);
    struct file *file = file_at(descriptor);
    if (file != NULL)
        sync_file(descriptor, file);
    else if (fstat(descriptor, &status) == 0 && status.st_dev == device && status.st_ino == folder_inode)
        sync_folder();
    pthread_mutex_unlock(&lock);
    return 0;
}

int fsync(int descriptor)
{
    return sync_any(descriptor);
}

int fdatasync(int descriptor)
{
    return sync_any(descriptor);
}
