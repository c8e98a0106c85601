/* Keep-alive GETs over many connections: one request at a time on each, epoll, one thread.
 *
 *   getload PORT CONNECTIONS WARMUP_SECONDS SECONDS REQUEST
 *
 * Every run of twelve '#' in REQUEST is replaced by a counter, new for each request. A response must
 * have status 200 and a Content-Length; a connection that the server closes between two responses is
 * opened again and counted. Prints "begin" when the warm-up is over, then one JSON object: requests, seconds, p50 and p99 in seconds, user and
 * system CPU seconds, reconnects, body bytes of the last response. Ends with status 1 and one line on
 * stderr at the first wrong response.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define BUFFER 16384
#define MARKS 16
#define EVENTS 1024
#define STEPS 64 /* buckets for each doubling of the latency */
#define BUCKETS (STEPS * 40)

struct connection {
    int fd;
    size_t used;
    double sent_at;
    char buffer[BUFFER];
};

static char request[BUFFER];
static size_t request_size, mark_count, marks[MARKS];
static uint64_t counter = 100000000000ULL;
static uint64_t histogram[BUCKETS];
static struct sockaddr_in address;
static int epoll_fd;
static uint64_t reconnects;
static long body_size;

static void fail(const char *why) {
    fprintf(stderr, "%s\n", why);
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static size_t bucket(double seconds) {
    uint64_t ns = (uint64_t)(seconds * 1e9);
    if (ns < STEPS) return ns;
    int shift = 63 - __builtin_clzll(ns) - 6; /* 64 steps: the six bits below the highest */
    size_t index = (size_t)(shift + 1) * STEPS + ((ns >> shift) - STEPS);
    return index < BUCKETS ? index : BUCKETS - 1;
}

static double bucket_seconds(size_t index) {
    if (index < STEPS) return (double)index * 1e-9;
    int shift = (int)(index / STEPS) - 1;
    return (double)((uint64_t)(index % STEPS + STEPS) << shift) * 1e-9;
}

static double percentile(double share, uint64_t total) {
    uint64_t wanted = (uint64_t)((double)total * share), seen = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        seen += histogram[i];
        if (seen > wanted) return bucket_seconds(i);
    }
    return 0;
}

static void send_request(struct connection *c) {
    if (mark_count) {
        char digits[16];
        snprintf(digits, sizeof digits, "%012llu", (unsigned long long)counter++);
        for (size_t i = 0; i < mark_count; i++) memcpy(request + marks[i], digits, 12);
    }
    c->used = 0;
    c->sent_at = now();
    if (send(c->fd, request, request_size, MSG_NOSIGNAL) != (ssize_t)request_size)
        fail("a request could not be sent in one piece");
}

static void open_connection(struct connection *c, int add) {
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0) fail("no socket: too many open files?");
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address)) fail("connection refused");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct timeval timeout = {20, 0};
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (add && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event)) fail("epoll_ctl failed");
}

/* 1 when a whole response is in the buffer, 0 when more must come. Sets *closing. */
static int complete(struct connection *c, int *closing) {
    c->buffer[c->used] = 0;
    char *end = strstr(c->buffer, "\r\n\r\n");
    if (!end) return 0;
    if (strncmp(c->buffer, "HTTP/1.1 200", 12)) fail("the status is not 200");
    long length = -1;
    *closing = 0;
    for (char *line = strstr(c->buffer, "\r\n"); line < end; line = strstr(line + 2, "\r\n")) {
        if (!strncasecmp(line + 2, "content-length:", 15)) length = atol(line + 17);
        if (!strncasecmp(line + 2, "connection: close", 17)) *closing = 1;
    }
    if (length < 0) fail("a response without Content-Length");
    size_t whole = (size_t)(end + 4 - c->buffer) + (size_t)length;
    if (c->used > whole) fail("more bytes than the response has");
    body_size = length;
    return c->used == whole;
}

/* Reads what is there; 1 when the response is complete. */
static int receive(struct connection *c, int *closing) {
    ssize_t got = recv(c->fd, c->buffer + c->used, BUFFER - 1 - c->used, 0);
    if (got < 0) fail("a connection failed or timed out");
    if (got == 0) {
        if (c->used) fail("the server closed the connection in the middle of a response");
        close(c->fd);
        reconnects++;
        open_connection(c, 1);
        send_request(c);
        return 0;
    }
    c->used += (size_t)got;
    return complete(c, closing);
}

static double seconds_of(struct timeval t) { return (double)t.tv_sec + (double)t.tv_usec * 1e-6; }

int main(int argc, char **argv) {
    if (argc != 6) fail("getload PORT CONNECTIONS WARMUP_SECONDS SECONDS REQUEST");
    int count = atoi(argv[2]);
    double warmup = atof(argv[3]), duration = atof(argv[4]);
    request_size = strlen(argv[5]);
    if (count < 1 || request_size >= BUFFER) fail("bad arguments");
    memcpy(request, argv[5], request_size + 1);
    for (char *at = request; (at = strstr(at, "############")) && mark_count < MARKS; at += 12)
        marks[mark_count++] = (size_t)(at - request);
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)atoi(argv[1]));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    epoll_fd = epoll_create1(0);

    struct connection *connections = calloc((size_t)count, sizeof *connections);
    if (!connections) fail("out of memory");
    int closing = 0;
    /* Each connection is answered once before the next one opens: no accept queue overflows. */
    for (int i = 0; i < count; i++) {
        open_connection(&connections[i], 0);
        send_request(&connections[i]);
        while (!receive(&connections[i], &closing)) {}
        if (closing) fail("the server closes a connection after its first response");
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};
        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, connections[i].fd, &event) && errno != EEXIST)
            fail("epoll_ctl failed");
    }
    for (int i = 0; i < count; i++) send_request(&connections[i]);

    uint64_t requests = 0;
    struct rusage before, after;
    struct epoll_event events[EVENTS];
    double begin = now() + warmup, stop = begin + duration, at = 0;
    int measuring = 0;
    for (;;) {
        int ready = epoll_wait(epoll_fd, events, EVENTS, 20000);
        if (ready == 0) fail("no response for 20 seconds");
        if (ready < 0 && errno != EINTR) fail("epoll_wait failed");
        at = now();
        if (!measuring && at >= begin) {
            measuring = 1;
            begin = at;
            stop = at + duration;
            getrusage(RUSAGE_SELF, &before);
            puts("begin");
            fflush(stdout);
        }
        if (measuring && at >= stop) break;
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            if (!receive(c, &closing)) continue;
            if (measuring) {
                requests++;
                histogram[bucket(now() - c->sent_at)]++;
            }
            if (closing) {
                close(c->fd);
                reconnects++;
                open_connection(c, 1);
            }
            send_request(c);
        }
    }
    getrusage(RUSAGE_SELF, &after);
    printf("{\"requests\": %llu, \"seconds\": %.6f, \"p50\": %.9f, \"p99\": %.9f, \"user\": %.6f, "
           "\"system\": %.6f, \"reconnects\": %llu, \"body\": %ld}\n",
           (unsigned long long)requests, at - begin, percentile(0.5, requests), percentile(0.99, requests),
           seconds_of(after.ru_utime) - seconds_of(before.ru_utime),
           seconds_of(after.ru_stime) - seconds_of(before.ru_stime), (unsigned long long)reconnects, body_size);
    fflush(stdout);
    return 0;
}
