/*
 * Stops one thread of a process for good, and lets the others run: what a hang in a library would do to it.
 * Loaded with LD_PRELOAD.
 *
 * THREAD_STOPPER_FILE    once this file is there, the thread whose name is in it is stopped, and the file removed
 *
 * The process itself has no part in it, and it needs no privilege, as a debugger would on a process that is not dumpable.
 */
#define _GNU_SOURCE

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void stand_still(int signal)
{
    (void)signal;
    for (;;)
        pause();
}

/* The first line of a file; 0 if there is none. */
static int read_line(const char *path, char *line, int size)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    char *read = fgets(line, size, file);
    fclose(file);
    if (read == NULL)
        return 0;
    line[strcspn(line, "\n")] = 0;
    return 1;
}

static void stop(const char *wanted)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *task;
    struct sigaction action = {.sa_handler = stand_still};

    sigaction(SIGUSR2, &action, NULL);
    while (tasks != NULL && (task = readdir(tasks)) != NULL) {
        char path[300], name[64];
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
        if (read_line(path, name, sizeof name) && strcmp(name, wanted) == 0)
            syscall(SYS_tgkill, getpid(), atoi(task->d_name), SIGUSR2);
    }
    if (tasks != NULL)
        closedir(tasks);
}

static void *watch(void *path)
{
    const struct timespec between_looks = {.tv_nsec = 20000000};
    char name[64];

    while (!read_line(path, name, sizeof name))
        nanosleep(&between_looks, NULL);
    stop(name);
    remove(path);
    return NULL;
}

__attribute__((constructor)) static void start(void)
{
    char *path = getenv("THREAD_STOPPER_FILE");
    pthread_t thread;
    sigset_t all, before;

    if (path == NULL)
        return;
    /* The process's own signals are for its own threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&thread, NULL, watch, path) == 0)
        pthread_detach(thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}
