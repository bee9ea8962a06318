// A relay before a software TPM, which writes down every command and can delay or hold it: a slow chip, or a silent one.
//
//   tpm_relay tcp PORT SWTPM_PORT LOG ORDERS    listens on 127.0.0.1, PORT for commands and PORT + 1 for swtpm's control channel
//   tpm_relay device HOST SWTPM_PORT LOG ORDERS makes /dev/tpm0 and /dev/tpmrm0 by the kernel's tpm_vtpm_proxy
//
// LOG gets a line for each command once its response is on its way: milliseconds of the boottime clock, command code in
// hexadecimal, microseconds that it took. ORDERS is a file with two numbers, read at each command: the delay in milliseconds of
// commands that use a key, and that of all others. A number of -1 holds the command until the file says something else.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/types.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// From linux/vtpm_proxy.h, which some of Debian's cross headers lack.
struct new_device { uint32_t flags, number, descriptor, major, minor; };
#define NEW_DEVICE _IOWR(0xa1, 0x00, struct new_device)

enum { HEADER = 10, LARGEST = 8192, SET_LOCALITY = 0x20001000 };
static const char *orders_path;
static FILE *log_file;

static void give_up(const char *what) {
    perror(what);
    exit(1);
}

static uint32_t number_at(const unsigned char *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static int64_t microseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

// TPM 2.0 Library, part 2, 6.5.2: CreatePrimary, Create, ECDH_ZGen, Load, RSA_Decrypt, Sign, Unseal, ECDH_KeyGen,
// StartAuthSession (which decrypts its salt), CreateLoaded.
static int uses_a_key(uint32_t command) {
    static const uint32_t codes[] = { 0x131, 0x153, 0x154, 0x157, 0x159, 0x15d, 0x15e, 0x163, 0x176, 0x191 };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (command == codes[i]) return 1;
    return 0;
}

static int ordered_delay(uint32_t command) {
    int with_key = 0, others = 0;
    FILE *orders = fopen(orders_path, "r");
    if (!orders) return 0;
    if (fscanf(orders, "%d %d", &with_key, &others) != 2) with_key = others = 0;
    fclose(orders);
    return uses_a_key(command) ? with_key : others;
}

static void delay(uint32_t command) {
    int milliseconds;
    while ((milliseconds = ordered_delay(command)) < 0) usleep(10000);
    usleep((useconds_t)milliseconds * 1000);
}

// Returns 0 if the other end has closed.
static int read_all(int from, unsigned char *bytes, size_t length) {
    for (size_t have = 0; have < length;) {
        ssize_t more = read(from, bytes + have, length - have);
        if (more <= 0) return 0;
        have += (size_t)more;
    }
    return 1;
}

static int write_all(int to, const unsigned char *bytes, size_t length) {
    for (size_t done = 0; done < length;) {
        ssize_t more = write(to, bytes + done, length - done);
        if (more <= 0) return 0;
        done += (size_t)more;
    }
    return 1;
}

// Reads a command or a response. Both contain their length in the header.
static size_t read_message(int from, unsigned char *bytes) {
    if (!read_all(from, bytes, HEADER)) return 0;
    size_t length = number_at(bytes + 2);
    if (length < HEADER || length > LARGEST) return 0;
    return read_all(from, bytes + HEADER, length - HEADER) ? length : 0;
}

static int connect_to(const char *host, int port) {
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    inet_pton(AF_INET, host, &address.sin_addr);
    for (int attempt = 0; attempt < 300; attempt++) {
        int one = 1, out = socket(AF_INET, SOCK_STREAM, 0);
        if (!connect(out, (void *)&address, sizeof address)) {
            setsockopt(out, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            return out;
        }
        close(out);
        usleep(100000);
    }
    give_up("connecting to swtpm");
    return -1;
}

static int listen_on(int port) {
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1, in = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(in, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(in, (void *)&address, sizeof address) || listen(in, 16)) give_up("listening");
    return in;
}

static void write_down(int64_t begun, uint32_t command) {
    fprintf(log_file, "%lld %03x %lld\n", (long long)begun / 1000, command, (long long)(microseconds() - begun));
    fflush(log_file);
}

// Handles one command; returns the response's length, or 0.
static size_t serve(int swtpm, unsigned char *bytes, size_t length, int64_t begun) {
    uint32_t command = number_at(bytes + 6);
    delay(command);
    if (!write_all(swtpm, bytes, length)) return 0;
    length = read_message(swtpm, bytes);
    if (length) write_down(begun, command);
    return length;
}

static void relay_commands(int client, int swtpm) {
    unsigned char bytes[LARGEST];
    for (size_t length; (length = read_message(client, bytes));) {
        length = serve(swtpm, bytes, length, microseconds());
        if (!length || !write_all(client, bytes, length)) return;
    }
}

// The control channel has messages of other formats, and nothing to count.
static void relay_bytes(int client, int swtpm) {
    unsigned char bytes[4096];
    struct pollfd ends[2] = { { client, POLLIN, 0 }, { swtpm, POLLIN, 0 } };
    while (poll(ends, 2, -1) > 0)
        for (int i = 0; i < 2; i++)
            if (ends[i].revents) {
                ssize_t length = read(ends[i].fd, bytes, sizeof bytes);
                if (length <= 0 || !write_all(ends[!i].fd, bytes, (size_t)length)) return;
            }
}

// Starts a process that ends when this one does.
static pid_t fork_with_us(void) {
    pid_t child = fork();
    if (child == 0) prctl(PR_SET_PDEATHSIG, SIGKILL);
    return child;
}

static void accept_for_ever(int listener, int swtpm_port, void (*relay)(int, int)) {
    for (;;) {
        int one = 1, client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0) continue;
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (fork_with_us() == 0) {
            close(listener);
            relay(client, connect_to("127.0.0.1", swtpm_port));
            _exit(0);
        }
        close(client);
    }
}

static void relay_device(const char *host, int port) {
    static const unsigned char done[HEADER] = { 0x80, 1, 0, 0, 0, HEADER, 0, 0, 0, 0 };
    unsigned char bytes[LARGEST];
    int swtpm = connect_to(host, port), proxy = open("/dev/vtpmx", O_RDWR);
    struct new_device device = { .flags = 1 /* a TPM 2.0 */ };
    if (proxy < 0 || ioctl(proxy, NEW_DEVICE, &device)) give_up("/dev/vtpmx");
    for (;;) {
        // One read returns one command.
        ssize_t length = read((int)device.descriptor, bytes, sizeof bytes);
        if (length < HEADER) give_up("reading a command");
        size_t answer = sizeof done;
        // A command of the kernel's own, which no TPM knows.
        if (number_at(bytes + 6) == SET_LOCALITY) memcpy(bytes, done, sizeof done);
        else answer = serve(swtpm, bytes, (size_t)length, microseconds());
        if (!answer || write((int)device.descriptor, bytes, answer) != (ssize_t)answer) give_up("answering");
    }
}

int main(int argc, char **argv) {
    if (argc != 6) {
        fprintf(stderr, "usage: tpm_relay tcp|device PORT|HOST SWTPM_PORT LOG ORDERS\n");
        return 64;
    }
    int port = atoi(argv[3]);
    log_file = fopen(argv[4], "a");
    if (!log_file) give_up(argv[4]);
    orders_path = argv[5];
    signal(SIGCHLD, SIG_IGN);
    if (!strcmp(argv[1], "device")) relay_device(argv[2], port);
    int first = atoi(argv[2]), commands = listen_on(first), control = listen_on(first + 1);
    if (fork_with_us() == 0) accept_for_ever(control, port + 1, relay_bytes);
    accept_for_ever(commands, port, relay_commands);
}
