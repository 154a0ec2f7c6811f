/*
 * comers HOST PORT RATE: so many connections a second, whatever becomes of those before,
 * of three kinds in turn: a request whose answer is read to its end; the same, a piece of
 * it each 20 ms; a WebSocket that says a word, hears it again and closes.
 *
 * A line on standard input is answered by one of JSON: how many were opened and served,
 * what failed, and for how long the slowest took.  At its end nobody comes any more, and
 * when all are served the last line follows.
 */
#include <sys/epoll.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PIECE		12		/* bytes of what comes slowly */
#define PIECE_MS	20
#define LATE_MS		60000
#define ANSWER		512		/* bytes of an answer that are looked at */
#define OPEN_MAX	20000

enum kind { WEB, SLOW, SOCKET, NKINDS };
enum fault { REFUSED, CUT, WRONG, LATE, NFAULTS };

struct comer {
	struct comer	*next, **prev;
	enum kind	 kind;
	int		 fd;
	const char	*out;		/* what is to be sent, */
	size_t		 left;		/* so much of it */
	int		 step;		/* of a WebSocket */
	int		 writes;	/* waits for room, or for its connection */
	char		 in[ANSWER];
	size_t		 n;
	uint64_t	 began, due;	/* ms; due: the next piece, 0: none */
};

static const char	 request[] = "GET /lobby/x HTTP/1.1\r\nHost: kennel\r\n"
			    "Connection: close\r\n\r\n";
static const char	 hello[] = "GET /echo HTTP/1.1\r\nHost: kennel\r\n"
			    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
			    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
			    "Sec-WebSocket-Version: 13\r\n\r\n";
static const char	 word[] = "\x81\x85\0\0\0\0hello";
static const char	 echo[] = "\x81\x05hello";
static const char	 bye[] = "\x88\x82\0\0\0\0\x03\xe8";

static struct comer	*comers;
static int		 epfd;
static uint64_t		 opened, served, faults[NFAULTS], longest, now;
static const char *const fault_names[] = { "refused", "cut", "wrong", "late" };
static char		 first[2 * ANSWER];	/* what was wrong at first */

static uint64_t
clock_now(void)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000);
}

static void
comer_end(struct comer *c)
{
	if (now - c->began > longest)
		longest = now - c->began;
	close(c->fd);
	*c->prev = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	free(c);
}

static void
comer_fail(struct comer *c, enum fault fault, int error)
{
	if (first[0] == '\0') {
		snprintf(first, sizeof(first), "%s kind %d step %d after %zu: %s",
		    fault_names[fault], (int)c->kind, c->step, c->n,
		    strerror(error));
		for (char *p = first; *p != '\0'; p++)
			if (*p == '"' || *p == '\\' || *p < ' ')
				*p = '?';
	}
	faults[fault]++;
	comer_end(c);
}

/* Events that it waits for. */
static void
comer_arm(struct comer *c, int writes)
{
	struct epoll_event	 e = { .events = EPOLLIN |
				    (writes ? EPOLLOUT : 0u),
				    .data = { .ptr = c } };

	if (writes != c->writes)
		epoll_ctl(epfd, EPOLL_CTL_MOD, c->fd, &e);
	c->writes = writes;
}

/* Send what is due: 0, or -1: it is over. */
static int
comer_send(struct comer *c)
{
	size_t	 n = c->kind == SLOW && c->left > PIECE ? PIECE : c->left;
	ssize_t	 sent = n == 0 ? 0 : send(c->fd, c->out, n, MSG_NOSIGNAL);

	if (sent == -1 && errno == EAGAIN) {
		comer_arm(c, 1);
		return (0);
	}
	/* What is refused says so when it is read, too. */
	if (sent == -1) {
		comer_fail(c, errno == ECONNREFUSED ? REFUSED : CUT, errno);
		return (-1);
	}
	c->out += sent;
	c->left -= (size_t)sent;
	if (c->kind == SLOW && c->left > 0) {
		c->due = now + PIECE_MS;
		comer_arm(c, 0);
	} else
		comer_arm(c, c->left > 0);
	return (0);
}

/* Say something else. */
static int
comer_say(struct comer *c, const char *out, size_t len)
{
	c->out = out;
	c->left = len;
	c->n = 0;
	c->step++;
	return (comer_send(c));
}

/* What a WebSocket does with what it has heard so far: 0, or -1: it is over. */
static int
comer_hears(struct comer *c)
{
	if (c->step == 0 && memmem(c->in, c->n, "\r\n\r\n", 4) != NULL) {
		if (memcmp(c->in, "HTTP/1.1 101 ", 13) != 0) {
			comer_fail(c, WRONG, 0);
			return (-1);
		}
		return (comer_say(c, word, sizeof(word) - 1));
	}
	if (c->step == 1 && c->n >= sizeof(echo) - 1) {
		if (memcmp(c->in, echo, sizeof(echo) - 1) != 0) {
			comer_fail(c, WRONG, 0);
			return (-1);
		}
		return (comer_say(c, bye, sizeof(bye) - 1));
	}
	return (0);
}

/* Its end came: is that how it should? */
static void
comer_ended(struct comer *c)
{
	int	 ok = c->kind == SOCKET ? c->step == 2 && c->n >= 2 &&
		    c->in[0] == '\x88' : c->left == 0 && c->n >= 13 &&
		    memcmp(c->in, "HTTP/1.1 200 ", 13) == 0;

	if (!ok) {
		comer_fail(c, c->n == 0 ? CUT : WRONG, 0);
		return;
	}
	served++;
	comer_end(c);
}

static void
comer_read(struct comer *c)
{
	char	 unseen[4096];
	ssize_t	 n;

	for (;;) {
		n = c->n < ANSWER ? recv(c->fd, c->in + c->n, ANSWER - c->n, 0) :
		    recv(c->fd, unseen, sizeof(unseen), 0);
		if (n == 0) {
			comer_ended(c);
			return;
		}
		if (n == -1) {
			if (errno != EAGAIN)
				comer_fail(c, errno == ECONNREFUSED ? REFUSED :
				    CUT, errno);
			return;
		}
		if (c->n < ANSWER)
			c->n += (size_t)n;
		if (c->kind == SOCKET && comer_hears(c) == -1)
			return;
	}
}

static void
comer_new(const struct sockaddr_in *to)
{
	struct comer		*c = calloc(1, sizeof(*c));
	struct epoll_event	 e = { .events = EPOLLIN | EPOLLOUT,
				    .data = { .ptr = c } };

	if (c == NULL || (c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK,
	    0)) == -1) {
		perror("comers");
		exit(1);
	}
	c->kind = (enum kind)(opened++ % NKINDS);
	c->out = c->kind == SOCKET ? hello : request;
	c->left = (c->kind == SOCKET ? sizeof(hello) : sizeof(request)) - 1;
	c->began = now;
	c->writes = 1;
	if ((c->next = comers) != NULL)
		comers->prev = &c->next;
	c->prev = &comers;
	comers = c;
	epoll_ctl(epfd, EPOLL_CTL_ADD, c->fd, &e);
	if (connect(c->fd, (const struct sockaddr *)to, sizeof(*to)) == -1 &&
	    errno != EINPROGRESS)
		comer_fail(c, REFUSED, errno);
}

static void
report(uint64_t began)
{
	printf("{\"opened\": %llu, \"served\": %llu, \"ms\": %llu, \"longest_ms\": "
	    "%llu, \"first\": \"%s\"", (unsigned long long)opened,
	    (unsigned long long)served, (unsigned long long)(now - began),
	    (unsigned long long)longest, first);
	for (int i = 0; i < NFAULTS; i++)
		printf(", \"%s\": %llu", fault_names[i],
		    (unsigned long long)faults[i]);
	printf("}\n");
	fflush(stdout);
}

/* Whoever is to send a piece, or has taken too long. */
static void
look(void)
{
	struct comer	*c, *next;

	for (c = comers; c != NULL; c = next) {
		next = c->next;
		if (now - c->began > LATE_MS)
			comer_fail(c, LATE, 0);
		else if (c->due != 0 && now >= c->due) {
			c->due = 0;
			(void)comer_send(c);
		}
	}
}

/* One turn: what the kernel says. */
static void
turn(void)
{
	struct epoll_event	 events[64];
	struct comer		*c;
	int			 n = epoll_wait(epfd, events, 64, 2);

	now = clock_now();
	for (int i = 0; i < n; i++) {
		c = events[i].data.ptr;
		if ((events[i].events & EPOLLOUT) != 0 &&
		    comer_send(c) == -1)
			continue;
		if ((events[i].events & ~(uint32_t)EPOLLOUT) != 0)
			comer_read(c);
	}
	look();
}

int
main(int argc, char **argv)
{
	struct sockaddr_in	 to = { .sin_family = AF_INET };
	struct pollfd		 in = { .fd = STDIN_FILENO, .events = POLLIN };
	uint64_t		 began, rate;
	char			 line[64];
	ssize_t			 n = 1;

	if (argc != 4 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) {
		fprintf(stderr, "usage: comers HOST PORT RATE\n");
		return (2);
	}
	to.sin_port = htons((uint16_t)atoi(argv[2]));
	rate = (uint64_t)atoi(argv[3]);
	epfd = epoll_create1(0);
	began = now = clock_now();
	while (n > 0) {
		while (opened < (now - began) * rate / 1000 &&
		    opened - served < OPEN_MAX)
			comer_new(&to);
		turn();
		if (poll(&in, 1, 0) == 1 &&
		    (n = read(STDIN_FILENO, line, sizeof(line))) > 0)
			report(began);
	}
	while (comers != NULL)
		turn();
	report(began);
	return (0);
}
